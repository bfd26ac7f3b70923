/* A deleted file that is too large to travel in the image: refused. */
#include "victim.h"

VICTIM(deleted_large)

static int file;

static void setup(void) {
  file = MUST(open("/tmp/large", O_RDWR | O_CREAT, 0600));
  MUST(ftruncate(file, 65 << 20));
  MUST(unlink("/tmp/large"));
}

static const char *check(void) {
  struct stat status;
  EXPECT_EQUAL(fstat(file, &status), 0);
  EXPECT_EQUAL(status.st_size, 65 << 20);
  return NULL;
}
