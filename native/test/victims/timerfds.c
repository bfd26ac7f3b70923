/* timerfd: ticks not yet read, an interval that goes on, one far ahead (also absolute), one disarmed. */
#include "victim.h"
#include <sys/timerfd.h>
VICTIM(timerfds)

static int ticking, elapsed, far, absolute, idle;

static void setup(void) {
  struct itimerspec often = {{0, 30000000}, {0, 30000000}}, once = {{0, 0}, {0, 1000000}}, late = {{0, 0}, {3600, 0}};
  ticking = MUST(timerfd_create(CLOCK_MONOTONIC, 0));
  elapsed = MUST(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
  far = MUST(timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK));
  absolute = MUST(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
  idle = MUST(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
  MUST(timerfd_settime(ticking, 0, &often, NULL));
  MUST(timerfd_settime(elapsed, 0, &once, NULL));
  MUST(timerfd_settime(far, 0, &late, NULL));
  struct itimerspec then = {{0, 0}, {0, 0}};
  clock_gettime(CLOCK_MONOTONIC, &then.it_value);
  then.it_value.tv_sec += 1800;
  MUST(timerfd_settime(absolute, TFD_TIMER_ABSTIME, &then, NULL));
  sleep_ms(100);
}

static const char *check(void) {
  uint64_t count = 0;
  struct itimerspec now;
  EXPECT_EQUAL(read(ticking, &count, 8), 8);
  EXPECT(count >= 1);
  EXPECT_EQUAL(read(ticking, &count, 8), 8);
  EXPECT_EQUAL(read(elapsed, &count, 8), 8);
  EXPECT_EQUAL(count, 1);
  struct itimerspec once = {{0, 0}, {0, 1}};
  timerfd_settime(elapsed, 0, &once, NULL);
  sleep_ms(5);
  timerfd_gettime(far, &now);
  EXPECT(now.it_value.tv_sec > 3000 && now.it_value.tv_sec <= 3600);
  timerfd_gettime(absolute, &now);
  EXPECT(now.it_value.tv_sec > 1500 && now.it_value.tv_sec <= 1800);
  EXPECT_EQUAL(read(idle, &count, 8), -1);
  EXPECT_EQUAL(errno, EAGAIN);
  return NULL;
}
