/* Two opens of one memfd: positions of their own, one of them read-only. */
#include "victim.h"
VICTIM(memfd_opened_twice)

static int both, reader;

static void setup(void) {
  both = MUST(memfd_create("twice", 0));
  MUST(write(both, "0123456789", 10));
  MUST(lseek(both, 7, SEEK_SET));
  reader = MUST(open("/proc/self/fd/3", O_RDONLY));
  MUST(lseek(reader, 2, SEEK_SET));
}

static const char *check(void) {
  EXPECT_EQUAL(lseek(both, 0, SEEK_CUR), 7);
  EXPECT_EQUAL(lseek(reader, 0, SEEK_CUR), 2);
  EXPECT_EQUAL(write(reader, "x", 1), -1);
  EXPECT_EQUAL(fcntl(both, F_GET_SEALS), F_SEAL_SEAL);
  return NULL;
}
