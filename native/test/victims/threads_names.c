/* Threads keep their names, alternate signal stacks, signal masks and thread-local memory. */
#include "victim.h"
#include <pthread.h>
#include <sys/prctl.h>
VICTIM(threads_names)

static _Atomic int asked, answered, wrong;
static __thread int local;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void look(int number, void *stack) {
  char name[16], wanted[16];
  stack_t alternate;
  sigset_t mask;
  snprintf(wanted, sizeof wanted, "worker (%d) )", number);
  prctl(PR_GET_NAME, name);
  sigaltstack(NULL, &alternate);
  pthread_sigmask(SIG_BLOCK, NULL, &mask);
  if (strcmp(name, wanted)) wrong |= 1;
  if (alternate.ss_sp != stack || alternate.ss_size != 65536) wrong |= 2;
  for (int i = 0; i < 4; i++) if (sigismember(&mask, SIGRTMIN + i) != (i == number)) wrong |= 4;
  if (local != 100 + number) wrong |= 8;
}

static void *work(void *argument) {
  int number = (int)(intptr_t)argument, seen = 0;
  char name[16];
  snprintf(name, sizeof name, "worker (%d) )", number);
  prctl(PR_SET_NAME, name);
  stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
  sigaltstack(&stack, NULL);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGRTMIN + number);
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  local = 100 + number;
  pthread_mutex_lock(&mutex);
  for (;;) {
    while (asked == seen) pthread_cond_wait(&changed, &mutex);
    seen = asked;
    look(number, stack.ss_sp);
    answered++;
    pthread_cond_broadcast(&changed);
  }
  return NULL;
}

static void setup(void) {
  for (intptr_t i = 0; i < 4; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, (void *)i)) exit(3);
  }
}

static const char *check(void) {
  pthread_mutex_lock(&mutex);
  answered = 0;
  asked++;
  pthread_cond_broadcast(&changed);
  while (answered < 4) pthread_cond_wait(&changed, &mutex);
  pthread_mutex_unlock(&mutex);
  EXPECT_EQUAL(wrong, 0);
  return NULL;
}
