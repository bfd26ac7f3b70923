/* A child from before the snapshot is killed after the wake: SIGCHLD comes and its status can be collected. */
#include "victim.h"
VICTIM(child_ends)

static volatile sig_atomic_t told;
static pid_t child;
static void on(int number) { (void)number; told++; }
static void start(void) {
  if ((child = MUST(fork())) == 0)
    for (;;) pause();
}
static void setup(void) {
  signal(SIGCHLD, on);
  start();
}

static const char *check(void) {
  int status = 0, before = told;
  EXPECT_EQUAL(kill(child, SIGKILL), 0);
  pid_t ended;
  while ((ended = waitpid(child, &status, 0)) < 0 && errno == EINTR) {
  }
  EXPECT_EQUAL(ended, child);
  EXPECT_EQUAL(WTERMSIG(status), SIGKILL);
  EXPECT(told > before);
  start();
  return NULL;
}
