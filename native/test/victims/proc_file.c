/* An open file of /proc: refused by name. */
#include "victim.h"
VICTIM(proc_file)

static int fd;

static void setup(void) {
  fd = MUST(open("/proc/self/status", O_RDONLY));
}

static const char *check(void) {
  char byte;
  EXPECT_EQUAL(pread(fd, &byte, 1, 0), 1);
  return NULL;
}
