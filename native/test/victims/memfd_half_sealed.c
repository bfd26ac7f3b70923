/* A memfd sealed against future writing: who had mapped it before still writes, nobody else may. */
#include "victim.h"
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif
VICTIM(memfd_half_sealed)

static int memory, unmapped;
static int *mapped;

static void setup(void) {
  memory = MUST(memfd_create("half sealed", MFD_ALLOW_SEALING));
  MUST(ftruncate(memory, 8192));
  mapped = MUST(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0));
  MUST(fcntl(memory, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK));
  unmapped = MUST(memfd_create("not mapped", MFD_ALLOW_SEALING));
  MUST(ftruncate(unmapped, 4096));
  MUST(fcntl(unmapped, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
}

static const char *check(void) {
  int before = mapped[0]++, seen = -1;
  EXPECT_EQUAL(pread(memory, &seen, sizeof seen, 0), sizeof seen);
  EXPECT_EQUAL(seen, before + 1);
  EXPECT_EQUAL(fcntl(memory, F_GET_SEALS), F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK);
  EXPECT_EQUAL(fcntl(unmapped, F_GET_SEALS), F_SEAL_FUTURE_WRITE);
  EXPECT_EQUAL(write(memory, "x", 1), -1);
  EXPECT(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0) == MAP_FAILED);
  EXPECT(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, unmapped, 0) == MAP_FAILED);
  return NULL;
}
