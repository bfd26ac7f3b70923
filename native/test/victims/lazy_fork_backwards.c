/* fork while memory is still being filled: a child that reads from the end to the beginning misses each page by itself. */
#include "victim.h"
VICTIM(lazy_fork_backwards)

enum { kPages = 16384 };
static char *memory;

static void setup(void) {
  memory = mmap(NULL, (size_t)kPages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (unsigned i = 0; i < kPages; i++) paint(memory + i * 4096ul, 4096, i);
}

static const char *check(void) {
  int status = 0;
  pid_t child = fork();
  EXPECT(child >= 0);
  if (child == 0) {
    for (unsigned i = kPages; i-- > 0;)
      if (!painted(memory + i * 4096ul, 4096, i)) _exit(1);
    _exit(0);
  }
  EXPECT_EQUAL(waitpid(child, &status, 0), child);
  EXPECT_EQUAL(status, 0);
  return NULL;
}
