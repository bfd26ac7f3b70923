/* An open namespace, its own as it is: another one would be there after a wake: refused. */
#include "victim.h"

VICTIM(namespace_file)

static int space;

static void setup(void) { space = MUST(open("/proc/self/ns/uts", O_RDONLY)); }

static const char *check(void) {
  struct stat open_one, own;
  EXPECT_EQUAL(fstat(space, &open_one), 0);
  EXPECT_EQUAL(stat("/proc/self/ns/uts", &own), 0);
  EXPECT_EQUAL(open_one.st_ino, own.st_ino);
  return NULL;
}
