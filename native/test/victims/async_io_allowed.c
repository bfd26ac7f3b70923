/* An app that may use io_uring and has no ring: it may afterwards, too. What the kernel says to it stays what it was. */
#include "victim.h"
#include <linux/io_uring.h>
VICTIM(async_io_allowed)

static int before;

static int errno_of_a_ring(void) {
  struct io_uring_params parameters = {0};
  int fd = (int)syscall(SYS_io_uring_setup, 4, &parameters);
  if (fd < 0) return errno;
  close(fd);
  return 0;
}

static void setup(void) { before = errno_of_a_ring(); }

static const char *check(void) {
  EXPECT(before != ENOSYS);
  EXPECT_EQUAL(errno_of_a_ring(), before);
  return NULL;
}
