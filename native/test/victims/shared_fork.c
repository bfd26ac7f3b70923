/* Anonymous shared memory between parent and child. */
#include "victim.h"
VICTIM(shared_fork)

static char *memory;
static struct helper child;

static const char *answer(void) {
  EXPECT(painted(memory + 4096, 65536, 7));
  memory[0]++;
  return NULL;
}

static void setup(void) {
  memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  paint(memory + 4096, 65536, 7);
  child = start_helper(NULL, answer);
}

static const char *check(void) {
  char before = memory[0];
  const char *why = ask_helper(&child);
  if (why) return why;
  EXPECT_EQUAL(memory[0], (char)(before + 1));
  EXPECT_EQUAL(memory[1 << 19], 0);
  return NULL;
}
