/* io_uring and Linux AIO are not offered: to the program it is a kernel that has neither, before and after it slept. */
#include "victim.h"
#include <linux/io_uring.h>
VICTIM(async_io_hidden)

static void setup(void) {}

static const char *check(void) {
  struct io_uring_params parameters = {0};
  EXPECT_EQUAL(syscall(SYS_io_uring_setup, 4, &parameters), -1);
  EXPECT_EQUAL(errno, ENOSYS);
  unsigned long context = 0;
  EXPECT_EQUAL(syscall(SYS_io_setup, 4, &context), -1);
  EXPECT_EQUAL(errno, ENOSYS);
  return NULL;
}
