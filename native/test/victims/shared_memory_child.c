/* A child that shares all its memory with its parent, as none of the restored would: refused. */
#include "victim.h"

#include <sched.h>

VICTIM(shared_memory_child)

static volatile int steps;
static char stack[65536] __attribute__((aligned(16)));

static int body(void *nothing) {
  (void)nothing;
  steps++;
  while (steps) pause();
  return 0;
}

static void setup(void) {
  MUST(clone(body, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL));
  while (steps == 0) sleep_ms(1);
}

static const char *check(void) {
  EXPECT_EQUAL(steps, 1);
  return NULL;
}
