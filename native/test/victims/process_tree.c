/* Parents, children and grandchildren; sessions and process groups; the exit status of a child that ends after the wake. */
#include "victim.h"
VICTIM(process_tree)

static struct helper child, grandchild, leader;
static pid_t me, group_of_child;

static const char *grand(void) {
  EXPECT(getppid() != 1);
  EXPECT_EQUAL(getpgrp(), getppid());
  EXPECT_EQUAL(getsid(0), getsid(getppid()));
  return NULL;
}
static const char *make_grandchild(void) {
  setpgid(0, 0);
  grandchild = start_helper(NULL, grand);
  return NULL;
}
static const char *ask_grandchild(void) {
  EXPECT_EQUAL(getppid(), me);
  EXPECT_EQUAL(getpgrp(), getpid());
  return ask_helper(&grandchild);
}
static const char *make_session(void) { return setsid() < 0 ? bad("setsid") : NULL; }
static const char *in_session(void) {
  EXPECT_EQUAL(getsid(0), getpid());
  EXPECT_EQUAL(getpgrp(), getpid());
  EXPECT_EQUAL(getppid(), me);
  return NULL;
}

static void setup(void) {
  me = getpid();
  child = start_helper(make_grandchild, ask_grandchild);
  leader = start_helper(make_session, in_session);
  group_of_child = getpgid(child.pid);
}

static const char *check(void) {
  EXPECT_EQUAL(getpid(), me);
  EXPECT_EQUAL(getpgid(child.pid), group_of_child);
  const char *why = ask_helper(&child);
  if (!why) why = ask_helper(&leader);
  if (why) return why;
  int status = 0;
  pid_t fresh = fork();
  if (fresh == 0) _exit(33);
  EXPECT_EQUAL(waitpid(fresh, &status, 0), fresh);
  EXPECT_EQUAL(WEXITSTATUS(status), 33);
  EXPECT_EQUAL(waitpid(-1, &status, WNOHANG), 0);
  return NULL;
}
