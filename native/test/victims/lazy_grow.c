/* Growing and shrinking in place while memory is still being filled: the heap by brk, a mapping by mremap; what is new is zeros. */
#include "victim.h"
VICTIM(lazy_grow)

enum { kBytes = 24 << 20, kMore = 4 << 20 };
static char *heap, *mapping;

static void setup(void) {
  heap = sbrk(kBytes);
  if (heap == (void *)-1) exit(3);
  paint(heap, kBytes, 1);
  /* Room behind it, so that it can grow where it is. */
  mapping = MUST(mmap(NULL, kBytes + kMore, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  munmap(mapping + kBytes, kMore);
  paint(mapping, kBytes, 2);
}

static int zeros(const char *from, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) if (from[i]) return 0;
  return 1;
}

static const char *check(void) {
  char *more = sbrk(kMore);
  EXPECT(more != (void *)-1 && zeros(more, kMore));
  EXPECT(mremap(mapping, kBytes, kBytes + kMore, 0) == mapping);
  EXPECT(zeros(mapping + kBytes, kMore));
  EXPECT(mremap(mapping, kBytes + kMore, kBytes - kMore, 0) == mapping);
  EXPECT(mremap(mapping, kBytes - kMore, kBytes, 0) == mapping);
  EXPECT(zeros(mapping + kBytes - kMore, kMore));
  EXPECT(painted(mapping, kBytes - kMore, 2));
  EXPECT(sbrk(-kMore) != (void *)-1);
  EXPECT(painted(heap, kBytes, 1));
  paint(mapping, kBytes, 2);
  return NULL;
}
