/* A GS base of the program's own, and a process that has registered for membarrier. */
#include "victim.h"
#include <asm/prctl.h>
#include <linux/membarrier.h>
VICTIM(bases_and_barriers)

static unsigned long own[8] = {0, 4711};

static void setup(void) {
  MUST(syscall(SYS_arch_prctl, ARCH_SET_GS, own));
  MUST(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
}

static const char *check(void) {
  unsigned long base = 0, through = 0;
  EXPECT_EQUAL(syscall(SYS_arch_prctl, ARCH_GET_GS, &base), 0);
  EXPECT_EQUAL(base, own);
  __asm__ volatile("mov %%gs:8, %0" : "=r"(through));
  EXPECT_EQUAL(through, 4711);
  EXPECT_EQUAL(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), 0);
  return NULL;
}
