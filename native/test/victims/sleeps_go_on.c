/* Sleeps under way go on with the time that is left: none starts over, and none ends early. */
#include "victim.h"
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>
VICTIM(sleeps_go_on)

#define MS 1000000ll
/* All begin together. Kind 0 sleeps until a point in time: what it is late by, the machine is to blame for. */
enum { kKinds = 9, kLengthMs = 1600, kMiddleMs = 800, kToleranceMs = 700 };
static int64_t ended[kKinds];
static _Atomic int64_t began;
static _Atomic int rounds;
static char wrong[200];
static pthread_barrier_t start, end;

static long sleep_until(int64_t deadline) {
  struct timespec at = {deadline / (1000 * MS), deadline % (1000 * MS)};
  return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static long sleep_as(int kind, int64_t deadline) {
  int64_t left = deadline - now_ns(CLOCK_MONOTONIC);
  struct timespec whole = {left / (1000 * MS), left % (1000 * MS)}, rest;
  struct timeval limit = {whole.tv_sec, whole.tv_nsec / 1000 + 1};
  static int epoll, word;
  struct epoll_event event;
  int ms = (int)(left / MS) + 1;
  switch (kind) {
    case 0: return sleep_until(deadline);
    case 1: return syscall(SYS_nanosleep, &whole, NULL);
    case 2: return syscall(SYS_nanosleep, &whole, &rest);
    case 3: return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &whole, NULL);
    case 4: return syscall(SYS_poll, NULL, 0, ms);
    case 5: return select(0, NULL, NULL, NULL, &limit);
    case 6: return ppoll(NULL, 0, &whole, NULL);
    case 7:
      if (!epoll) epoll = epoll_create1(EPOLL_CLOEXEC);
      return epoll_wait(epoll, &event, 1, ms);
    default:
      /* May be woken for nothing, as everybody who waits for a futex reckons with. */
      while ((left = deadline - now_ns(CLOCK_MONOTONIC)) > 0) {
        struct timespec relative = {left / (1000 * MS), left % (1000 * MS)};
        if (syscall(SYS_futex, &word, FUTEX_WAIT, 0, &relative, NULL, 0) < 0 && errno != ETIMEDOUT) return -1;
      }
      return 0;
  }
}

static void judge(int kind, long result, int error) {
  int64_t deadline = began + kLengthMs * MS, late = ended[kind] - deadline, reference = ended[0] - deadline;
  if (result != 0) snprintf(wrong, sizeof wrong, "sleep %d gave %ld, errno %d", kind, result, error);
  if (late < 0) snprintf(wrong, sizeof wrong, "sleep %d ended %ld ms early", kind, (long)(-late / MS));
  if (late > reference + kToleranceMs * MS) snprintf(wrong, sizeof wrong, "sleep %d was %ld ms late, and the machine %ld", kind, (long)(late / MS), (long)(reference / MS));
}

static void *work(void *argument) {
  int kind = (int)(intptr_t)argument;
  for (;;) {
    if (pthread_barrier_wait(&start) == PTHREAD_BARRIER_SERIAL_THREAD) began = now_ns(CLOCK_MONOTONIC);
    pthread_barrier_wait(&end);
    long result = sleep_as(kind, began + kLengthMs * MS);
    int error = errno;
    ended[kind] = now_ns(CLOCK_MONOTONIC);
    pthread_barrier_wait(&end);
    judge(kind, result, error);
    if (kind == 0) rounds++;
  }
  return NULL;
}

static void setup(void) {
  pthread_t thread;
  pthread_barrier_init(&start, NULL, kKinds);
  pthread_barrier_init(&end, NULL, kKinds);
  for (intptr_t kind = 0; kind < kKinds; kind++)
    if (pthread_create(&thread, NULL, work, (void *)kind)) exit(3);
}

/* Answers in the middle of a round, so that it is there that the program is stopped, when the round that it was stopped in is over. */
static const char *check(void) {
  if (now_ns(CLOCK_MONOTONIC) - began > kMiddleMs * MS)
    for (int before = rounds; rounds == before;) sleep_ms(5);
  while (now_ns(CLOCK_MONOTONIC) - began < kMiddleMs * MS) sleep_ms(5);
  return wrong[0] ? wrong : NULL;
}
