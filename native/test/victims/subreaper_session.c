/* A subreaper has an orphan whose session's leader has ended. */
#include "victim.h"
#include <sys/prctl.h>
VICTIM(subreaper_session)

static pid_t leader, orphan;
static struct helper reaper;

static const char *adopt(void) {
  int told[2];
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) || pipe(told)) return "subreaper";
  leader = fork();
  if (leader == 0) {
    setsid();
    pid_t pid = fork();
    if (pid == 0)
      for (;;) pause();
    if (write(told[1], &pid, sizeof pid) != sizeof pid) _exit(1);
    _exit(0);
  }
  if (read(told[0], &orphan, sizeof orphan) != sizeof orphan) return "read";
  close(told[0]);
  close(told[1]);
  return waitpid(leader, NULL, 0) == leader ? NULL : "wait";
}

static const char *adopted(void) {
  EXPECT_EQUAL(getsid(orphan), leader);
  EXPECT_EQUAL(waitpid(orphan, NULL, WNOHANG), 0);
  EXPECT_EQUAL(waitpid(-1, NULL, WNOHANG), 0);
  return NULL;
}

static void setup(void) { reaper = start_helper(adopt, adopted); }

static const char *check(void) { return ask_helper(&reaper); }
