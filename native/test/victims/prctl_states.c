/* What prctl sets: names, subreaper, timer slack, huge pages off, parent death signal, dumpable, no new privileges. */
#include "victim.h"
#include <sys/prctl.h>
VICTIM(prctl_states)

static struct helper child;

static const char *prepare(void) { return prctl(PR_SET_PDEATHSIG, SIGUSR2) ? bad("pdeathsig") : NULL; }
static const char *answer(void) {
  int number = 0;
  prctl(PR_GET_PDEATHSIG, &number);
  EXPECT_EQUAL(number, SIGUSR2);
  return NULL;
}

static void setup(void) {
  MUST(prctl(PR_SET_NAME, "a) name (\t"));
  MUST(prctl(PR_SET_CHILD_SUBREAPER, 1));
  MUST(prctl(PR_SET_TIMERSLACK, 123456));
  MUST(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  child = start_helper(prepare, answer);
  MUST(prctl(PR_SET_DUMPABLE, 0));
}

static const char *check(void) {
  char name[16] = "";
  int on = 0;
  prctl(PR_GET_NAME, name);
  EXPECT(strcmp(name, "a) name (\t") == 0);
  prctl(PR_GET_CHILD_SUBREAPER, &on);
  EXPECT_EQUAL(on, 1);
  EXPECT_EQUAL(prctl(PR_GET_TIMERSLACK), 123456);
  EXPECT_EQUAL(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
  EXPECT_EQUAL(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
  EXPECT_EQUAL(prctl(PR_GET_DUMPABLE), 0);
  return ask_helper(&child);
}
