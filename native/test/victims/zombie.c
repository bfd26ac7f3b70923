/* A child that has ended and was not collected: refused until it is. */
#include "victim.h"
VICTIM(zombie)

static pid_t child;

static void setup(void) {
  siginfo_t info;
  if ((child = MUST(fork())) == 0) _exit(7);
  MUST(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
}

static const char *check(void) {
  siginfo_t info;
  EXPECT_EQUAL(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQUAL(info.si_status, 7);
  return NULL;
}
