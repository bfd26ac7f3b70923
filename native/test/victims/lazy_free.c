/* MADV_FREE while memory is still being filled: each page then is what it was or zeros, and what is written after it stays. */
#include "victim.h"
VICTIM(lazy_free)

enum { kPages = 8192 };
static char *memory;

static void setup(void) {
  memory = mmap(NULL, (size_t)kPages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (unsigned i = 0; i < kPages; i++) paint(memory + i * 4096ul, 4096, i);
}

static int zeros(const char *from) {
  for (unsigned i = 0; i < 4096; i++) if (from[i]) return 0;
  return 1;
}

static const char *check(void) {
  EXPECT_EQUAL(madvise(memory + 4096ul * 1024, 4096ul * 4096, MADV_FREE), 0);
  for (unsigned i = 1024; i < 5120; i += 16) paint(memory + i * 4096ul, 4096, i + 7);
  for (unsigned i = 0; i < kPages; i++) {
    const char *page = memory + i * 4096ul;
    int isFreed = i >= 1024 && i < 5120;
    if (isFreed && i % 16 == 0) {
      if (!painted(page, 4096, i + 7)) return bad("page %u lost what was written after MADV_FREE", i);
    } else if (!painted(page, 4096, i) && !(isFreed && zeros(page))) {
      return bad("page %u is neither what it was nor zeros", i);
    }
  }
  for (unsigned i = 1024; i < 5120; i++) paint(memory + i * 4096ul, 4096, i);
  return NULL;
}
