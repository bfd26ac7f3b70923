/* setitimer(ITIMER_REAL) goes on with its interval. */
#include "victim.h"
#include <sys/time.h>
VICTIM(itimer_real)

static volatile sig_atomic_t ticks;
static void on(int number) { (void)number; ticks++; }

static void setup(void) {
  signal(SIGALRM, on);
  struct itimerval timer = {{0, 20000}, {0, 20000}};
  MUST(setitimer(ITIMER_REAL, &timer, NULL));
}

static const char *check(void) {
  struct itimerval timer;
  getitimer(ITIMER_REAL, &timer);
  EXPECT_EQUAL(timer.it_interval.tv_usec, 20000);
  int before = ticks;
  for (int i = 0; i < 200 && ticks < before + 3; i++) sleep_ms(10);
  EXPECT(ticks >= before + 3);
  return NULL;
}
