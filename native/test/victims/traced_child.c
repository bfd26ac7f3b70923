/* A child that is traced: refused by name. */
#include "victim.h"
#include <sys/ptrace.h>
VICTIM(traced_child)

static int fd;

static void setup(void) {
  pid_t child = MUST(fork());
  if (child == 0)
    for (;;) pause();
  MUST(ptrace(PTRACE_SEIZE, child, NULL, NULL));
  fd = child;
}

static const char *check(void) {
  EXPECT_EQUAL(kill(fd, 0), 0);
  return NULL;
}
