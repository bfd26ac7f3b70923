/* A file whose name was taken and that has another, written to: a copy would part from the other name: refused. */
#include "victim.h"

VICTIM(deleted_linked)

static int file;

static void setup(void) {
  file = MUST(open("/tmp/first name", O_RDWR | O_CREAT, 0600));
  MUST(link("/tmp/first name", "/tmp/other name"));
  MUST(unlink("/tmp/first name"));
}

static const char *check(void) {
  struct stat here, there;
  EXPECT_EQUAL(fstat(file, &here), 0);
  EXPECT_EQUAL(stat("/tmp/other name", &there), 0);
  EXPECT_EQUAL(here.st_ino, there.st_ino);
  return NULL;
}
