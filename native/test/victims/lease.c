/* A lease on a file: refused by name. */
#include "victim.h"
VICTIM(lease)

static int fd;

static void setup(void) {
  fd = MUST(open("/tmp/leased", O_RDONLY | O_CREAT, 0600));
  MUST(fcntl(fd, F_SETLEASE, F_RDLCK));
}

static const char *check(void) {
  EXPECT_EQUAL(fcntl(fd, F_GETLEASE), F_RDLCK);
  return NULL;
}
