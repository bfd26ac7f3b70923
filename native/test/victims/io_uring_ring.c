/* io_uring: refused by name. Where the kernel does not allow one, nothing is there to refuse. */
#include "victim.h"
#include <linux/io_uring.h>
VICTIM(io_uring_ring)

static int fd;

static void setup(void) {
  struct io_uring_params parameters = {0};
  fd = (int)MUST(syscall(SYS_io_uring_setup, 4, &parameters));
}

static const char *check(void) {
  EXPECT(fd >= 0);
  return NULL;
}
