/* A process that is stopped in the middle of computing, by SIGTSTP, with a signal that will end it: in no template. */
#include "victim.h"
VICTIM(stopped_computing)

static volatile unsigned *count;
static pid_t child;
static unsigned was;

static void setup(void) {
  count = MUST(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  if ((child = MUST(fork())) == 0) {
    setpgid(0, 0);
    for (;;) ++*count;
  }
  while (*count < 1000) sleep_ms(1);
  kill(child, SIGTSTP);
  int status = 0;
  if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status)) exit(3);
  kill(child, SIGTERM);
  was = *count;
}

static const char *check(void) {
  siginfo_t info = {0};
  EXPECT_EQUAL(*count, was);
  EXPECT_EQUAL(waitid(P_PID, (id_t)child, &info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT), 0);
  EXPECT_EQUAL(info.si_pid, 0);
  return NULL;
}
