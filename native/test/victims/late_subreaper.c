/* A session whose leader lives below a subreaper that has become one only after an orphan of the session had gone to the init. */
#include "victim.h"
#include <sys/prctl.h>
VICTIM(late_subreaper)

static int tell[2], told[2];
static pid_t leader, of_init, of_reaper;
static struct helper reaper;

/* The leader makes an orphan each time it is asked. */
static void lead(void) {
  char byte;
  setsid();
  while (read(tell[0], &byte, 1) == 1) {
    int made[2];
    if (pipe(made)) _exit(1);
    pid_t between = fork(), pid;
    if (between == 0) {
      if ((pid = fork()) == 0)
        for (;;) pause();
      _exit(write(made[1], &pid, sizeof pid) != sizeof pid);
    }
    if (read(made[0], &pid, sizeof pid) != sizeof pid || waitpid(between, NULL, 0) != between) _exit(1);
    close(made[0]);
    close(made[1]);
    if (write(told[1], &pid, sizeof pid) != sizeof pid) _exit(1);
  }
  _exit(0);
}

static pid_t make_orphan(void) {
  pid_t pid = 0;
  if (write(tell[1], "x", 1) != 1 || read(told[0], &pid, sizeof pid) != sizeof pid) exit(3);
  return pid;
}

static const char *adopt(void) {
  if (pipe(tell) || pipe(told)) return "pipe";
  if ((leader = fork()) == 0) lead();
  of_init = make_orphan();
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) return "subreaper";
  of_reaper = make_orphan();
  return NULL;
}

static int parent_of(pid_t pid) {
  char path[64], text[512] = "";
  int parent = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  int file = open(path, O_RDONLY);
  if (file < 0) return -1;
  ssize_t n = read(file, text, sizeof text - 1);
  close(file);
  return n > 0 && sscanf(strrchr(text, ')'), ") %*c %d", &parent) == 1 ? parent : -1;
}

static const char *still(void) {
  EXPECT_EQUAL(getsid(of_init), leader);
  EXPECT_EQUAL(getsid(of_reaper), leader);
  EXPECT_EQUAL(parent_of(of_init), 1);
  EXPECT_EQUAL(parent_of(of_reaper), getpid());
  EXPECT_EQUAL(parent_of(leader), getpid());
  EXPECT_EQUAL(waitpid(-1, NULL, WNOHANG), 0);
  return NULL;
}

static void setup(void) { reaper = start_helper(adopt, still); }

static const char *check(void) { return ask_helper(&reaper); }
