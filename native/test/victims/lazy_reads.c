/* 96 MB of heap, read and written in a wild order while it is still being filled; untouched holes read as zeros. */
#include "victim.h"
VICTIM(lazy_reads)

enum { kPages = 24576 };
static char *memory, *holes;
static unsigned round_;

static void setup(void) {
  memory = mmap(NULL, (size_t)kPages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  holes = mmap(NULL, (size_t)kPages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (unsigned i = 0; i < kPages; i++) paint(memory + i * 4096ul, 4096, i);
  for (unsigned i = 0; i < kPages; i += 3) holes[i * 4096ul] = (char)(i | 1);
}

static const char *check(void) {
  for (unsigned i = 0, at = 17; i < kPages; i++, at = (at * 5 + 4099) % kPages) {
    if (!painted(memory + at * 4096ul, 4096, at)) return bad("page %u is wrong", at);
    char wanted = at % 3 == 0 ? (char)(at | 1) : 0;
    if (holes[at * 4096ul] != wanted) return bad("hole %u is %d, not %d", at, holes[at * 4096ul], wanted);
  }
  round_++;
  return NULL;
}
