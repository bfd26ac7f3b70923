/* The kernel reads from and writes to memory that is still missing: parts of pages, whole ones, and several at once. */
#include <sys/uio.h>

#include "victim.h"
VICTIM(lazy_syscalls)

enum { kPages = 8192 };
static char *memory;

static char *page(unsigned i) { return memory + i * 4096ul; }

static void setup(void) {
  memory = mmap(NULL, (size_t)kPages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (unsigned i = 0; i < kPages; i++) paint(page(i), 4096, i);
}

static const char *check(void) {
  int ends[2];
  EXPECT_EQUAL(pipe(ends), 0);
  for (unsigned i = 17; i + 3 < kPages; i += 509) {
    /* Out of one missing page, into the middle of another: the rest of it stays. */
    EXPECT_EQUAL(write(ends[1], page(i), 4096), 4096);
    EXPECT_EQUAL(read(ends[0], page(i + 1) + 100, 1000), 1000);
    if (memcmp(page(i + 1) + 100, page(i), 1000) != 0) return bad("page %u did not take what was read", i + 1);
    struct iovec parts[2] = {{page(i + 2), 4096}, {page(i + 3), 8}};
    EXPECT_EQUAL(readv(ends[0], parts, 2), 3096);
    if (memcmp(page(i + 2), page(i) + 1000, 3096) != 0) return bad("page %u did not take what was read", i + 2);
    for (unsigned at = i + 1; at <= i + 3; at++) {
      char was[4096];
      paint(was, 4096, at);
      unsigned from = at == i + 1 ? 1100 : at == i + 2 ? 3096 : 0;
      if (memcmp(page(at) + from, was + from, 4096 - from) != 0) return bad("the rest of page %u is wrong", at);
      paint(page(at), 4096, at);
    }
  }
  close(ends[0]);
  close(ends[1]);
  for (unsigned i = 0; i < kPages; i++) if (!painted(page(i), 4096, i)) return bad("page %u is wrong", i);
  return NULL;
}
