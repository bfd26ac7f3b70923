/* A fifo that has no name any more: refused. */
#include "victim.h"

VICTIM(deleted_fifo)

static int both;

static void setup(void) {
  MUST(mkfifo("/tmp/gone fifo", 0600));
  both = MUST(open("/tmp/gone fifo", O_RDWR | O_NONBLOCK));
  MUST(unlink("/tmp/gone fifo"));
}

static const char *check(void) {
  char byte = 0;
  EXPECT_EQUAL(write(both, "x", 1), 1);
  EXPECT_EQUAL(read(both, &byte, 1), 1);
  EXPECT_EQUAL(byte, 'x');
  return NULL;
}
