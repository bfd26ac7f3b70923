/* Zombies below a child, that led a session, with names of their own; their parents hear of no new end. */
#include "victim.h"
#include <sys/prctl.h>
VICTIM(zombies_everywhere)

static struct helper parent;
static pid_t leader, named;
static volatile sig_atomic_t ends;

static void on_end(int number) {
  (void)number;
  ends++;
}

static pid_t ended_child(int session) {
  siginfo_t info;
  pid_t pid = fork();
  if (pid == 0) {
    if (session) setsid();
    else prctl(PR_SET_NAME, "late and named");
    _exit(session ? 3 : 4);
  }
  waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
  return pid;
}

static const char *leave(void) {
  signal(SIGCHLD, on_end);
  leader = ended_child(1);
  named = ended_child(0);
  return ends > 0 ? NULL : "no SIGCHLD";
}

static const char *still(void) {
  static int before;
  char path[64], text[256] = "";
  siginfo_t info = {0};
  if (!before) before = ends;
  EXPECT_EQUAL(ends, before);
  EXPECT_EQUAL(waitid(P_PID, (id_t)leader, &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQUAL(info.si_status, 3);
  EXPECT_EQUAL(getsid(leader), leader);
  EXPECT_EQUAL(waitid(P_PID, (id_t)named, &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQUAL(info.si_status, 4);
  snprintf(path, sizeof path, "/proc/%d/comm", named);
  int file = open(path, O_RDONLY);
  EXPECT(read(file, text, sizeof text - 1) > 0);
  close(file);
  EXPECT(strcmp(text, "late and named\n") == 0);
  return NULL;
}

static void setup(void) { parent = start_helper(leave, still); }

static const char *check(void) { return ask_helper(&parent); }
