/* flock: exclusive and shared, and that others still meet them. */
#include "victim.h"
#include <sys/file.h>
VICTIM(flocks)

static int exclusive, shared;

static void setup(void) {
  exclusive = MUST(open("/tmp/exclusive", O_RDWR | O_CREAT, 0600));
  shared = MUST(open("/tmp/shared", O_RDWR | O_CREAT, 0600));
  MUST(flock(exclusive, LOCK_EX));
  MUST(flock(shared, LOCK_SH));
}

static const char *check(void) {
  int one = open("/tmp/exclusive", O_RDWR), two = open("/tmp/shared", O_RDWR);
  EXPECT_EQUAL(flock(one, LOCK_SH | LOCK_NB), -1);
  EXPECT_EQUAL(errno, EWOULDBLOCK);
  EXPECT_EQUAL(flock(two, LOCK_EX | LOCK_NB), -1);
  EXPECT_EQUAL(flock(two, LOCK_SH | LOCK_NB), 0);
  close(one);
  close(two);
  return NULL;
}
