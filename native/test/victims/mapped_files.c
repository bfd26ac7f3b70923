/* Files mapped private (clean and written) and shared (written), with offsets, and one behind a read-only mapping. */
#include "victim.h"
VICTIM(mapped_files)

static char *clean, *dirty, *shared;
static int fd;

static void setup(void) {
  static char page[4096];
  fd = MUST(open("/tmp/mapped", O_RDWR | O_CREAT, 0600));
  for (unsigned i = 0; i < 16; i++) {
    paint(page, 4096, i);
    MUST(write(fd, page, 4096));
  }
  clean = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 4096);
  dirty = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 16384);
  shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 32768);
  paint(dirty + 4096, 4096, 99);
  MUST(mprotect(dirty, 16384, PROT_READ));
  paint(shared, 4096, 55);
}

static const char *check(void) {
  static char page[4096];
  EXPECT(painted(clean, 4096, 1) && painted(clean + 4096, 4096, 2));
  EXPECT(painted(dirty, 4096, 4) && painted(dirty + 4096, 4096, 99) && painted(dirty + 8192, 4096, 6));
  EXPECT(painted(shared, 4096, 55) && painted(shared + 4096, 4096, 9));
  EXPECT_EQUAL(pread(fd, page, 4096, 20480), 4096);
  EXPECT(painted(page, 4096, 5));
  EXPECT_EQUAL(pread(fd, page, 4096, 32768), 4096);
  EXPECT(painted(page, 4096, 55));
  shared[4095]++;
  EXPECT_EQUAL(pread(fd, page, 4096, 32768), 4096);
  EXPECT_EQUAL(page[4095], shared[4095]);
  shared[4095]--;
  return NULL;
}
