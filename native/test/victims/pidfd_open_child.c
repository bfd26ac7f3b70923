/* A pidfd: refused by name. */
#include "victim.h"
VICTIM(pidfd_open_child)

static int fd;

static void setup(void) {
  pid_t child = MUST(fork());
  if (child == 0)
    for (;;) pause();
  fd = (int)MUST(syscall(SYS_pidfd_open, child, 0));
}

static const char *check(void) {
  EXPECT_EQUAL(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), 0);
  return NULL;
}
