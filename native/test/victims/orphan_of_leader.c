/* An orphan in the session of a leader that lives and is not its parent. */
#include "victim.h"
VICTIM(orphan_of_leader)

static struct helper leader;
static pid_t orphan;

static const char *lead(void) {
  int told[2];
  if (setsid() < 0 || pipe(told)) return "setsid";
  pid_t between = fork();
  if (between == 0) {
    pid_t pid = fork();
    if (pid == 0)
      for (;;) pause();
    if (write(told[1], &pid, sizeof pid) != sizeof pid) _exit(1);
    _exit(0);
  }
  if (read(told[0], &orphan, sizeof orphan) != sizeof orphan) return "read";
  close(told[0]);
  close(told[1]);
  return waitpid(between, NULL, 0) == between ? NULL : "wait";
}

static const char *still(void) {
  char path[64], text[512] = "";
  EXPECT_EQUAL(getsid(orphan), getpid());
  EXPECT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
  EXPECT_EQUAL(errno, ECHILD);
  snprintf(path, sizeof path, "/proc/%d/stat", orphan);
  int file = open(path, O_RDONLY);
  EXPECT(read(file, text, sizeof text - 1) > 0);
  close(file);
  int parent = 0;
  EXPECT_EQUAL(sscanf(strrchr(text, ')'), ") %*c %d", &parent), 1);
  EXPECT_EQUAL(parent, 1);
  return NULL;
}

static void setup(void) { leader = start_helper(lead, still); }

static const char *check(void) { return ask_helper(&leader); }
