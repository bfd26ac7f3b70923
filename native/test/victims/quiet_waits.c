/* Threads in calls that the kernel ends with EINTR after any stop do not hear of one; what they wait for still comes. */
#include "victim.h"

#include <pthread.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

VICTIM(quiet_waits)

enum { kKinds = 4 };
static int pair[2], listener, set;
static pthread_t threads[kKinds];
static _Atomic int returned[kKinds], wrong[kKinds];
static const struct sockaddr_un name = {AF_UNIX, "/tmp/quiet"};

static long wait_in(int kind) {
  char byte;
  struct sembuf take = {0, -1, 0};
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  switch (kind) {
    case 0: return recv(pair[0], &byte, 1, 0) == 1 ? 0 : -1;
    case 1: {
      int client = accept(listener, NULL, NULL);
      return client < 0 ? -1 : close(client);
    }
    case 2: return semop(set, &take, 1);
    default: return sigwaitinfo(&signals, NULL) == SIGUSR1 ? 0 : -1;
  }
}

static void *body(void *argument) {
  int kind = (int)(intptr_t)argument;
  for (;;) {
    if (wait_in(kind) != 0) wrong[kind] = errno;
    returned[kind]++;
  }
  return NULL;
}

static int wake(int kind) {
  struct sembuf give = {0, 1, 0};
  if (kind == 0) return send(pair[1], "x", 1, 0) == 1 ? 0 : -1;
  if (kind == 2) return semop(set, &give, 1);
  if (kind == 3) return pthread_kill(threads[3], SIGUSR1);
  int client = socket(AF_UNIX, SOCK_STREAM, 0), result = connect(client, (const struct sockaddr *)&name, sizeof name);
  close(client);
  return result;
}

static void setup(void) {
  struct timeval hour = {3600, 0};
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  listener = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
  MUST(bind(listener, (const struct sockaddr *)&name, sizeof name));
  MUST(listen(listener, 4));
  MUST(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof hour));
  MUST(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof hour));
  set = MUST(semget(IPC_PRIVATE, 1, 0600));
  for (intptr_t kind = 0; kind < kKinds; kind++)
    if (pthread_create(&threads[kind], NULL, body, (void *)kind)) exit(3);
  sleep_ms(20);
}

static const char *check(void) {
  for (int kind = 0; kind < kKinds; kind++) {
    int before = returned[kind];
    if (wrong[kind]) return bad("wait %d ended with errno %d", kind, wrong[kind]);
    EXPECT_EQUAL(wake(kind), 0);
    for (int i = 0; i < 500 && returned[kind] == before; i++) sleep_ms(2);
    if (returned[kind] != before + 1) return bad("wait %d has returned %d times", kind, returned[kind] - before);
  }
  return NULL;
}
