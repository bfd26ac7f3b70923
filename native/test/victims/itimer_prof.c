/* ITIMER_PROF and ITIMER_VIRTUAL count the time that the process computes. */
#include "victim.h"
#include <sys/time.h>
VICTIM(itimer_prof)

static volatile sig_atomic_t prof, virtual;
static void on(int number) { if (number == SIGPROF) prof++; else virtual++; }

static void setup(void) {
  signal(SIGPROF, on);
  signal(SIGVTALRM, on);
  struct itimerval timer = {{0, 10000}, {0, 10000}};
  MUST(setitimer(ITIMER_PROF, &timer, NULL));
  MUST(setitimer(ITIMER_VIRTUAL, &timer, NULL));
}

static const char *check(void) {
  int prof0 = prof, virtual0 = virtual;
  for (int64_t end = now_ns(CLOCK_PROCESS_CPUTIME_ID) + 500000000; now_ns(CLOCK_PROCESS_CPUTIME_ID) < end && (prof < prof0 + 2 || virtual < virtual0 + 2);)
    for (volatile int i = 0; i < 100000; i++) {
    }
  EXPECT(prof >= prof0 + 2);
  EXPECT(virtual >= virtual0 + 2);
  return NULL;
}
