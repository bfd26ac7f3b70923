/* signalfd: its mask, and a signal that waits. */
#include "victim.h"
#include <sys/signalfd.h>
VICTIM(signalfds)

static int fd;

static void setup(void) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  sigaddset(&mask, SIGRTMIN + 5);
  MUST(sigprocmask(SIG_BLOCK, &mask, NULL));
  fd = MUST(signalfd(-1, &mask, SFD_NONBLOCK));
  MUST(sigqueue(getpid(), SIGRTMIN + 5, (union sigval){.sival_int = 9}));
}

static const char *check(void) {
  struct signalfd_siginfo info;
  EXPECT_EQUAL(read(fd, &info, sizeof info), sizeof info);
  EXPECT_EQUAL(info.ssi_signo, SIGRTMIN + 5);
  EXPECT_EQUAL(info.ssi_int, 9);
  EXPECT_EQUAL(read(fd, &info, sizeof info), -1);
  EXPECT_EQUAL(errno, EAGAIN);
  kill(getpid(), SIGUSR1);
  EXPECT_EQUAL(read(fd, &info, sizeof info), sizeof info);
  EXPECT_EQUAL(info.ssi_signo, SIGUSR1);
  sigqueue(getpid(), SIGRTMIN + 5, (union sigval){.sival_int = 9});
  return NULL;
}
