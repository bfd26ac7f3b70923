/* Memory that was moved and grown by mremap, PROT_NONE with contents, guard pages, write-only and executable pages. */
#include "victim.h"
VICTIM(mremapped)

static char *moved, *hidden, *code, *guard;

static void setup(void) {
  moved = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  paint(moved, 65536, 11);
  moved = mremap(moved, 65536, 1 << 22, MREMAP_MAYMOVE);
  hidden = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  paint(hidden, 16384, 12);
  MUST(mprotect(hidden, 16384, PROT_NONE));
  guard = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  MUST(mprotect(guard + 4096, 4096, PROT_READ | PROT_WRITE));
  paint(guard + 4096, 4096, 13);
  code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(code, "\xb8\x2a\x00\x00\x00\xc3", 6);  /* mov $42, %eax; ret */
  MUST(mprotect(code, 4096, PROT_EXEC | PROT_READ));
}

static int readable(const void *at) {
  int ends[2];
  MUST(pipe(ends));
  int yes = write(ends[1], at, 1) == 1;
  close(ends[0]);
  close(ends[1]);
  return yes;
}

static const char *check(void) {
  EXPECT(painted(moved, 65536, 11));
  EXPECT_EQUAL(moved[1 << 20], 0);
  EXPECT(!readable(hidden) && !readable(guard) && !readable(guard + 8192) && readable(guard + 4096));
  EXPECT_EQUAL(mprotect(hidden, 16384, PROT_READ), 0);
  EXPECT(painted(hidden, 16384, 12));
  EXPECT_EQUAL(mprotect(hidden, 16384, PROT_NONE), 0);
  EXPECT(painted(guard + 4096, 4096, 13));
  EXPECT_EQUAL(((int (*)(void))code)(), 42);
  return NULL;
}
