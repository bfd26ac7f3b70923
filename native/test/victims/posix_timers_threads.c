/* POSIX timers that tell a thread of their own, and one that measures a thread's CPU time. */
#include "victim.h"
#include <pthread.h>
VICTIM(posix_timers_threads)

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static volatile sig_atomic_t told, toldElsewhere, worked;
static volatile pid_t listener, worker;
static pthread_t workerThread;
static timer_t often, cpu;

static void onOften(int number) { (void)number; if (gettid() == listener) told++; else toldElsewhere++; }
static void onCpu(int number) { (void)number; worked++; }

static void *listen_(void *nothing) {
  listener = gettid();
  for (;;) pause();
  return nothing;
}

static void *work(void *nothing) {
  worker = gettid();
  for (volatile unsigned long spins = 0;; spins++)
    if (spins % 1000000 == 0) sleep_ms(1);
  return nothing;
}

static void setup(void) {
  pthread_t thread;
  clockid_t clock;
  struct sigaction telling = {.sa_handler = onOften}, working = {.sa_handler = onCpu};
  MUST(sigaction(SIGRTMIN + 3, &telling, NULL));
  MUST(sigaction(SIGRTMIN + 4, &working, NULL));
  pthread_create(&thread, NULL, listen_, NULL);
  pthread_create(&workerThread, NULL, work, NULL);
  while (!listener || !worker) sleep_ms(1);
  struct sigevent one = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 3}, other = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 4};
  one.sigev_notify_thread_id = listener;
  MUST(timer_create(CLOCK_MONOTONIC, &one, &often));
  pthread_getcpuclockid(workerThread, &clock);
  MUST(timer_create(clock, &other, &cpu));
  struct itimerspec each = {{0, 10000000}, {0, 10000000}};
  MUST(timer_settime(often, 0, &each, NULL));
  MUST(timer_settime(cpu, 0, &each, NULL));
}

static const char *check(void) {
  int toldBefore = told, workedBefore = worked;
  for (int i = 0; i < 500 && (told < toldBefore + 3 || worked < workedBefore + 3); i++) sleep_ms(10);
  EXPECT(told >= toldBefore + 3);
  EXPECT(worked >= workedBefore + 3);
  EXPECT_EQUAL(toldElsewhere, 0);
  return NULL;
}
