/* Limits, working directory, umask, nice value, user ids, environment and arguments as /proc shows them. */
#include "victim.h"
#include <sys/resource.h>
VICTIM(limits_and_places)

static uid_t uid;
static gid_t gid;
static char before[4096];
static int nicer;  /* than it was started, whatever that was */

static size_t arguments(char *to, size_t room) {
  int fd = open("/proc/self/cmdline", O_RDONLY);
  ssize_t n = read(fd, to, room);
  close(fd);
  return n < 0 ? 0 : (size_t)n;
}

static void setup(void) {
  struct rlimit files = {333, 777}, stack;
  MUST(setrlimit(RLIMIT_NOFILE, &files));
  getrlimit(RLIMIT_STACK, &stack);
  stack.rlim_cur = 4 << 20;
  MUST(setrlimit(RLIMIT_STACK, &stack));
  MUST(mkdir("/tmp/a place", 0700));
  MUST(chdir("/tmp/a place"));
  umask(0137);
  nicer = getpriority(PRIO_PROCESS, 0) + 3;
  if (nicer > 19) nicer = 19;
  MUST(setpriority(PRIO_PROCESS, 0, nicer));
  uid = getuid();
  gid = getgid();
  arguments(before, sizeof before);
}

static const char *check(void) {
  struct rlimit limit;
  char text[4096] = "";
  getrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_EQUAL(limit.rlim_cur, 333);
  EXPECT_EQUAL(limit.rlim_max, 777);
  getrlimit(RLIMIT_STACK, &limit);
  EXPECT_EQUAL(limit.rlim_cur, 4 << 20);
  EXPECT(getcwd(text, sizeof text) && strcmp(text, "/tmp/a place") == 0);
  mode_t mask = umask(0);
  umask(mask);
  EXPECT_EQUAL(mask, 0137);
  EXPECT_EQUAL(getpriority(PRIO_PROCESS, 0), nicer);
  uid_t ids[3];
  gid_t groups[3];
  getresuid(&ids[0], &ids[1], &ids[2]);
  getresgid(&groups[0], &groups[1], &groups[2]);
  for (int i = 0; i < 3; i++) EXPECT(ids[i] == uid && groups[i] == gid);
  memset(text, 0, sizeof text);
  arguments(text, sizeof text);
  EXPECT(memcmp(text, before, sizeof text) == 0);
  EXPECT(readlink("/proc/self/exe", text, sizeof text) > 0 && strstr(text, "victims"));
  return NULL;
}
