/* A memfd sealed against writing, mapped shared for reading, as file descriptors are passed to those one does not trust. */
#include "victim.h"
VICTIM(memfd_sealed)

static int fd;
static char *memory;

static void setup(void) {
  fd = MUST(memfd_create("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC));
  MUST(write(fd, "contents", 8));
  MUST(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
  memory = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) exit(3);
}

static const char *check(void) {
  EXPECT(memcmp(memory, "contents", 8) == 0);
  EXPECT_EQUAL(fcntl(fd, F_GET_SEALS), F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  EXPECT_EQUAL(pwrite(fd, "x", 1, 0), -1);
  return NULL;
}
