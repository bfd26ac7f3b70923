/* eventfd: counters small and huge, semaphore flag, non-blocking flag. */
#include "victim.h"
#include <sys/eventfd.h>
VICTIM(eventfds)

static int small, huge, semaphore, empty;
static const uint64_t kHuge = 0x123456789abcdefull;

static void setup(void) {
  small = MUST(eventfd(7, 0));
  huge = MUST(eventfd(0, EFD_NONBLOCK));
  MUST(write(huge, &kHuge, 8));
  semaphore = MUST(eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK));
  empty = MUST(eventfd(0, EFD_NONBLOCK));
}

static const char *check(void) {
  uint64_t count = 0;
  EXPECT_EQUAL(fcntl(small, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQUAL(read(small, &count, 8), 8);
  EXPECT_EQUAL(count, 7);
  EXPECT_EQUAL(write(small, &count, 8), 8);
  EXPECT_EQUAL(read(huge, &count, 8), 8);
  EXPECT_EQUAL(count, kHuge);
  EXPECT_EQUAL(write(huge, &count, 8), 8);
  for (int i = 0; i < 3; i++) {
    EXPECT_EQUAL(read(semaphore, &count, 8), 8);
    EXPECT_EQUAL(count, 1);
  }
  EXPECT_EQUAL(read(semaphore, &count, 8), -1);
  count = 3;
  EXPECT_EQUAL(write(semaphore, &count, 8), 8);
  EXPECT_EQUAL(read(empty, &count, 8), -1);
  EXPECT_EQUAL(errno, EAGAIN);
  return NULL;
}
