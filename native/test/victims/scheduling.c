/* Threads with their own CPU, nice value, scheduling policy and timer slack. */
#include "victim.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

VICTIM(scheduling)

static volatile int asked, answered;
static const char *why;
static int cpu, calm;  /* the nice value that it is started with, which may be another one than 0 */

static int nicer(void) { return calm + 3 < 19 ? calm + 3 : 19; }

static const char *settings(void) {
  cpu_set_t cpus;
  struct sched_param none;
  EXPECT_EQUAL(sched_getaffinity(0, sizeof cpus, &cpus), 0);
  EXPECT_EQUAL(CPU_COUNT(&cpus), 1);
  EXPECT(CPU_ISSET((size_t)cpu, &cpus));
  EXPECT_EQUAL(sched_getscheduler(0), SCHED_BATCH);
  EXPECT_EQUAL(sched_getparam(0, &none), 0);
  EXPECT_EQUAL(getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid)), nicer());
  EXPECT_EQUAL(prctl(PR_GET_TIMERSLACK), 123456);
  return NULL;
}

static void *body(void *nothing) {
  cpu_set_t cpus;
  struct sched_param none = {0};
  MUST(sched_getaffinity(0, sizeof cpus, &cpus));
  while (!CPU_ISSET((size_t)cpu, &cpus)) cpu++;
  CPU_ZERO(&cpus);
  CPU_SET((size_t)cpu, &cpus);
  MUST(sched_setaffinity(0, sizeof cpus, &cpus));
  MUST(sched_setscheduler(0, SCHED_BATCH, &none));
  MUST(setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), nicer()));
  MUST(prctl(PR_SET_TIMERSLACK, 123456));
  for (answered = 1;; sleep_ms(1)) {
    if (answered == asked) continue;
    why = settings();
    answered = asked;
  }
  return nothing;
}

static void setup(void) {
  pthread_t thread;
  asked = 1;
  calm = getpriority(PRIO_PROCESS, 0);
  MUST(pthread_create(&thread, NULL, body, NULL));
  while (answered == 0) sleep_ms(1);
}

static const char *check(void) {
  EXPECT_EQUAL(sched_getscheduler(0), SCHED_OTHER);
  EXPECT_EQUAL(getpriority(PRIO_PROCESS, 0), calm);
  asked++;
  while (answered != asked) sleep_ms(1);
  return why;
}
