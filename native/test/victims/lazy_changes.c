/* While memory is still being filled: MADV_DONTNEED gives zeros, munmap frees, mremap moves and grows, mprotect and discontiguous writes hold. */
#include "victim.h"
VICTIM(lazy_changes)

enum { kBlock = 4 << 20, kBlocks = 16 };
static char *blocks[kBlocks];
static unsigned seeds[kBlocks];

static void fresh(int i) {
  blocks[i] = mmap(NULL, kBlock, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  paint(blocks[i], kBlock, ++seeds[i]);
}

static void setup(void) {
  for (int i = 0; i < kBlocks; i++) fresh(i);
}

static int zeros(const char *from, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) if (from[i]) return 0;
  return 1;
}

static const char *check(void) {
  EXPECT_EQUAL(madvise(blocks[15], kBlock, MADV_DONTNEED), 0);
  EXPECT_EQUAL(madvise(blocks[14] + 8192, 1 << 20, MADV_DONTNEED), 0);
  char *moved = mremap(blocks[13], kBlock, 2 * kBlock, MREMAP_MAYMOVE);
  EXPECT(moved != MAP_FAILED);
  EXPECT_EQUAL(munmap(blocks[12], kBlock), 0);
  EXPECT_EQUAL(munmap(blocks[11] + (1 << 20), 1 << 20), 0);
  EXPECT_EQUAL(mprotect(blocks[10] + (1 << 20), 1 << 20, PROT_NONE), 0);
  /* In the middle of what is filled at once: no page of it may get lost. */
  for (int page = 5; page < 1000; page += 37) EXPECT_EQUAL(mprotect(blocks[7] + page * 4096, 3 * 4096, PROT_READ), 0);
  EXPECT_EQUAL(madvise(blocks[9], kBlock, MADV_FREE), 0);
  blocks[8][123]++;
  EXPECT(zeros(blocks[15], kBlock));
  EXPECT(zeros(blocks[14] + 8192, 1 << 20));
  EXPECT(painted(moved, kBlock, seeds[13]));
  EXPECT(zeros(moved + kBlock, kBlock));
  blocks[8][123]--;
  for (int i = 0; i <= 8; i++) if (!painted(blocks[i], kBlock, seeds[i])) return bad("block %d is wrong", i);
  EXPECT_EQUAL(mprotect(blocks[7], kBlock, PROT_READ | PROT_WRITE), 0);
  EXPECT_EQUAL(mprotect(blocks[10] + (1 << 20), 1 << 20, PROT_READ | PROT_WRITE), 0);
  EXPECT(painted(blocks[10], kBlock, seeds[10]));
  void *again = mmap(blocks[11] + (1 << 20), 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  EXPECT(again != MAP_FAILED && zeros(again, 1 << 20));
  for (int i = 9; i < kBlocks; i++) {
    if (i == 13) munmap(moved, 2 * kBlock);
    else if (i != 12) munmap(blocks[i], kBlock);
    fresh(i);
  }
  return NULL;
}
