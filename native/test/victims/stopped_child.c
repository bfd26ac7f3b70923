/* A child that is stopped by a signal, and would run if it were made again: refused. */
#include "victim.h"

VICTIM(stopped_child)

static pid_t child;

static void setup(void) {
  child = MUST(fork());
  if (child == 0)
    for (;;) pause();
  MUST(kill(child, SIGSTOP));
  MUST(waitpid(child, NULL, WUNTRACED));
}

static const char *check(void) {
  siginfo_t info = {0};
  EXPECT_EQUAL(kill(child, 0), 0);
  EXPECT_EQUAL(waitid(P_PID, (id_t)child, &info, WCONTINUED | WEXITED | WNOHANG | WNOWAIT), 0);
  EXPECT_EQUAL(info.si_pid, 0);
  return NULL;
}
