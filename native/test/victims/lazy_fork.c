/* fork while memory is still being filled: child and grandchild see everything, writes stay apart. */
#include "victim.h"
VICTIM(lazy_fork)

enum { kBytes = 64 << 20 };
static char *memory;

static void setup(void) {
  memory = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  paint(memory, kBytes, 5);
}

static const char *check(void) {
  int status = 0;
  pid_t child = fork();
  EXPECT(child >= 0);
  if (child == 0) {
    pid_t grandchild = fork();
    if (grandchild == 0) _exit(painted(memory + (32 << 20), 16 << 20, 5) ? 1 : 0);  /* the seed counts from the start */
    memory[100]++;
    if (waitpid(grandchild, &status, 0) != grandchild || status != 0) _exit(2);
    memory[100]--;
    _exit(painted(memory, kBytes, 5) ? 0 : 3);
  }
  memory[100]--;
  EXPECT_EQUAL(waitpid(child, &status, 0), child);
  EXPECT_EQUAL(status, 0);
  memory[100]++;
  EXPECT(painted(memory, kBytes, 5));
  return NULL;
}
