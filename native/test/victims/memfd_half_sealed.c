/* A memfd sealed against future writing while a writable mapping stays: refused by name. */
#include "victim.h"
VICTIM(memfd_half_sealed)

static int fd;
static char *memory;

static void setup(void) {
  fd = MUST(memfd_create("half sealed", MFD_ALLOW_SEALING));
  MUST(ftruncate(fd, 4096));
  memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  MUST(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
}

static const char *check(void) {
  EXPECT(memory != MAP_FAILED);
  memory[0]++;
  return NULL;
}
