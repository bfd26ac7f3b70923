/* A SIGCONT that is blocked and waits: a snapshot would take it away, so it is refused. */
#include "victim.h"
VICTIM(pending_continue)

static void setup(void) {
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGCONT);
  MUST(sigprocmask(SIG_BLOCK, &blocked, NULL));
  MUST(kill(getpid(), SIGCONT));
}

static const char *check(void) {
  sigset_t waiting;
  EXPECT_EQUAL(sigpending(&waiting), 0);
  EXPECT_EQUAL(sigismember(&waiting, SIGCONT), 1);
  return NULL;
}
