/* POSIX timers keep their ids (with a gap), clocks, signals, values and intervals; one is disarmed. */
#include "victim.h"
VICTIM(posix_timers)

static volatile sig_atomic_t ticks, code, value;
static timer_t timers[4];
static void on(int number, siginfo_t *info, void *context) { (void)number; (void)context; ticks++; code = info->si_code; value = info->si_value.sival_int; }

static void setup(void) {
  struct sigaction action = {.sa_sigaction = on, .sa_flags = SA_SIGINFO | SA_RESTART};
  MUST(sigaction(SIGRTMIN + 2, &action, NULL));
  for (int i = 0; i < 4; i++) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2, .sigev_value.sival_int = 40 + i};
    MUST(timer_create(i == 3 ? CLOCK_REALTIME : CLOCK_MONOTONIC, &event, &timers[i]));
  }
  MUST(timer_delete(timers[1]));
  struct itimerspec often = {{0, 20000000}, {0, 20000000}}, late = {{0, 0}, {3600, 0}};
  MUST(timer_settime(timers[0], 0, &often, NULL));
  MUST(timer_settime(timers[3], 0, &late, NULL));
}

static const char *check(void) {
  struct itimerspec now;
  int before = ticks;
  for (int i = 0; i < 200 && ticks < before + 3; i++) sleep_ms(10);
  EXPECT(ticks >= before + 3);
  EXPECT_EQUAL(code, SI_TIMER);
  EXPECT_EQUAL(value, 40);
  EXPECT_EQUAL(timer_gettime(timers[2], &now), 0);
  EXPECT(now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
  EXPECT_EQUAL(timer_gettime(timers[3], &now), 0);
  EXPECT(now.it_value.tv_sec > 3000 && now.it_value.tv_sec <= 3600);
  EXPECT_EQUAL(timer_gettime(timers[0], &now), 0);
  EXPECT_EQUAL(now.it_interval.tv_nsec, 20000000);
  return NULL;
}
