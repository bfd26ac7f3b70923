/* A private mapping of a file that has no name any more: refused, and the program runs on. */
#include "victim.h"
VICTIM(mapped_then_deleted)

static char *memory;

static void setup(void) {
  int fd = MUST(open("/tmp/soon gone", O_RDWR | O_CREAT, 0600));
  MUST(write(fd, "contents", 8));
  memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  MUST(close(fd));
  MUST(unlink("/tmp/soon gone"));
}

static const char *check(void) {
  EXPECT(memcmp(memory, "contents", 8) == 0);
  return NULL;
}
