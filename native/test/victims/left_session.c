/* A child in the session that its parent has left, and a grandchild whose parent is a subreaper of another session. */
#include "victim.h"
#include <sys/prctl.h>
VICTIM(left_session)

static pid_t old_session, stayed;
static struct helper leaver;

static const char *leave(void) {
  old_session = getsid(0);
  stayed = fork();
  if (stayed == 0)
    for (;;) pause();
  return setsid() < 0 ? bad("setsid") : NULL;
}

static const char *sessions(void) {
  EXPECT_EQUAL(getsid(0), getpid());
  EXPECT_EQUAL(getsid(stayed), old_session);
  EXPECT_EQUAL(getpgid(stayed), old_session);
  EXPECT_EQUAL(waitpid(stayed, NULL, WNOHANG), 0);
  return NULL;
}

static void setup(void) { leaver = start_helper(leave, sessions); }

static const char *check(void) { return ask_helper(&leaver); }
