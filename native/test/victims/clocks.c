/* The monotonic and boot clocks go on from where they stood: never back, and not far ahead. A sleep under way ends. */
#include "victim.h"
#include <pthread.h>
VICTIM(clocks)

static int64_t last_monotonic, last_boot, last_process;
static _Atomic int woken;

static void *sleeper(void *unused) {
  for (;;) {
    sleep_ms(50);
    woken++;
  }
  return unused;
}

static void setup(void) {
  pthread_t thread;
  last_monotonic = now_ns(CLOCK_MONOTONIC);
  last_boot = now_ns(CLOCK_BOOTTIME);
  last_process = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  if (pthread_create(&thread, NULL, sleeper, NULL)) exit(3);
}

static const char *check(void) {
  int64_t monotonic = now_ns(CLOCK_MONOTONIC), boot = now_ns(CLOCK_BOOTTIME);
  EXPECT(monotonic >= last_monotonic);
  EXPECT(boot >= last_boot);
  EXPECT(monotonic - last_monotonic < 60000000000ll);
  last_monotonic = monotonic;
  last_boot = boot;
  int before = woken;
  for (int i = 0; i < 300 && woken == before; i++) sleep_ms(10);
  EXPECT(woken > before);
  return NULL;
}
