/* Groups whose leader has ended: collected already, and still a zombie. */
#include "victim.h"
VICTIM(group_without_leader)

static pid_t member[2], led[2];

static pid_t wait_in(pid_t group) {
  pid_t pid = MUST(fork());
  if (pid == 0)
    for (;;) pause();
  MUST(setpgid(pid, group));
  return pid;
}

static void setup(void) {
  for (int i = 0; i < 2; i++) {
    led[i] = wait_in(0);
    member[i] = wait_in(led[i]);
    siginfo_t ended;
    MUST(kill(led[i], SIGKILL));
    MUST(waitid(P_PID, (id_t)led[i], &ended, WEXITED | (i == 0 ? 0 : WNOWAIT)));
  }
}

static const char *check(void) {
  siginfo_t ended = {0};
  for (int i = 0; i < 2; i++) {
    EXPECT_EQUAL(getpgid(member[i]), led[i]);
    EXPECT_EQUAL(kill(-led[i], 0), 0);
  }
  EXPECT_EQUAL(waitid(P_PGID, (id_t)led[1], &ended, WEXITED | WNOWAIT), 0);
  EXPECT_EQUAL(ended.si_pid, led[1]);
  EXPECT_EQUAL(ended.si_code, CLD_KILLED);
  EXPECT_EQUAL(waitid(P_PGID, (id_t)led[0], &ended, WEXITED | WNOWAIT | WNOHANG), 0);
  return NULL;
}
