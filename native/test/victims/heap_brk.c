/* The brk heap: contents, and that it grows and shrinks where it was. */
#include "victim.h"
VICTIM(heap_brk)

static char *base;
enum { kBytes = 3 << 20 };

static void setup(void) {
  base = sbrk(kBytes);
  if (base == (void *)-1) exit(3);
  paint(base, kBytes, 3);
}

static const char *check(void) {
  EXPECT(painted(base, kBytes, 3));
  char *end = sbrk(0);
  EXPECT(sbrk(1 << 20) == end);
  for (int i = 0; i < 1 << 20; i += 4096) EXPECT_EQUAL(end[i], 0);
  memset(end, 1, 1 << 20);
  EXPECT(sbrk(-(1 << 20)) != (void *)-1);
  EXPECT(sbrk(0) == end);
  return NULL;
}
