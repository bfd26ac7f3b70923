/* Threads that wait in all kinds of system calls are woken by what they wait for, and by nothing else. */
#include "victim.h"
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/select.h>
VICTIM(waiting_calls)

enum { kKinds = 6 };
static int ends[kKinds][2];
static sem_t semaphore;
static _Atomic int woken[kKinds], wrong[kKinds];

static int wait_for(int kind) {
  int in = ends[kind][0];
  struct pollfd query = {in, POLLIN, 0};
  fd_set set;
  struct epoll_event event = {.events = EPOLLIN};
  FD_ZERO(&set);
  FD_SET(in, &set);
  switch (kind) {
    case 0: return poll(&query, 1, -1);
    case 1: return select(in + 1, &set, NULL, NULL, NULL);
    case 2: {
      static int epoll;
      if (!epoll) {
        epoll = epoll_create1(0);
        epoll_ctl(epoll, EPOLL_CTL_ADD, in, &event);
      }
      return epoll_wait(epoll, &event, 1, -1);
    }
    case 3: {
      struct timespec limit = {3600, 0};
      return ppoll(&query, 1, &limit, NULL);
    }
    case 4: return sem_wait(&semaphore) == 0 ? 1 : -1;
    default: return 1;  /* waits in read itself */
  }
}

static void *work(void *argument) {
  int kind = (int)(intptr_t)argument;
  char byte;
  for (;;) {
    if (wait_for(kind) != 1) wrong[kind] = errno ? errno : -1;
    if (read(ends[kind][0], &byte, 1) != 1) wrong[kind] = 1000 + errno;
    woken[kind]++;
  }
  return NULL;
}

static void setup(void) {
  sem_init(&semaphore, 0, 0);
  for (intptr_t kind = 0; kind < kKinds; kind++) {
    pthread_t thread;
    MUST(pipe(ends[kind]));
    if (pthread_create(&thread, NULL, work, (void *)kind)) exit(3);
  }
  sleep_ms(50);
}

static const char *check(void) {
  for (int kind = 0; kind < kKinds; kind++) {
    int before = woken[kind];
    if (wrong[kind]) return bad("kind %d ended early: %d", kind, wrong[kind]);
    EXPECT_EQUAL(write(ends[kind][1], "x", 1), 1);
    if (kind == 4) sem_post(&semaphore);
    for (int i = 0; i < 300 && woken[kind] == before; i++) sleep_ms(10);
    if (woken[kind] != before + 1) return bad("kind %d was woken %d times", kind, woken[kind] - before);
  }
  return NULL;
}
