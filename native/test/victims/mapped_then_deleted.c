/* Mapped files that were deleted: shared with an open descriptor, and private with pages written. */
#include "victim.h"
VICTIM(mapped_then_deleted)

enum { kBytes = 3 * 4096 };
static int file;
static char *shared, *private;

static void setup(void) {
  file = MUST(open("/tmp/soon gone", O_CREAT | O_RDWR, 0600));
  MUST(ftruncate(file, kBytes));
  shared = MUST(mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
  paint(shared, kBytes, 7);
  private = MUST(mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0));
  paint(private + 4096, 4096, 9);
  MUST(unlink("/tmp/soon gone"));
}

static const char *check(void) {
  static char counted;
  struct stat status;
  char text[4096];
  EXPECT(painted(private + 4096, 4096, 9));
  EXPECT_EQUAL(pread(file, text, sizeof text, 4096), sizeof text);
  EXPECT(memcmp(text, shared + 4096, sizeof text) == 0);
  EXPECT(memcmp(private + 8192, shared + 8192, 4096) == 0);
  EXPECT_EQUAL(shared[kBytes - 1], counted ? counted : shared[kBytes - 1]);
  shared[kBytes - 1] = ++counted;
  EXPECT_EQUAL(pread(file, text, 1, kBytes - 1), 1);
  EXPECT_EQUAL(text[0], counted);
  EXPECT_EQUAL(fstat(file, &status), 0);
  EXPECT_EQUAL(status.st_nlink, 0);
  EXPECT_EQUAL(access("/tmp/soon gone", F_OK), -1);
  return NULL;
}
