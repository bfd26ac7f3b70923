/* Blocked signals that wait: of the process and of one thread, real-time ones in order and with their values. */
#include "victim.h"
VICTIM(pending_signals)

static void setup(void) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGRTMIN + 1);
  sigaddset(&mask, SIGUSR1);
  sigaddset(&mask, SIGUSR2);
  MUST(sigprocmask(SIG_BLOCK, &mask, NULL));
  for (int i = 0; i < 20; i++) MUST(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i}));
  MUST(kill(getpid(), SIGUSR1));
  MUST(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR2));
}

static const char *check(void) {
  sigset_t mask, pending;
  sigpending(&pending);
  EXPECT(sigismember(&pending, SIGUSR1));
  EXPECT(sigismember(&pending, SIGUSR2));
  sigemptyset(&mask);
  sigaddset(&mask, SIGRTMIN + 1);
  struct timespec none = {0, 0};
  siginfo_t info;
  for (int i = 0; i < 20; i++) {
    EXPECT_EQUAL(sigtimedwait(&mask, &info, &none), SIGRTMIN + 1);
    EXPECT_EQUAL(info.si_value.sival_int, i);
    EXPECT_EQUAL(info.si_code, SI_QUEUE);
    EXPECT_EQUAL(info.si_pid, getpid());
  }
  EXPECT_EQUAL(sigtimedwait(&mask, &info, &none), -1);
  for (int i = 0; i < 20; i++) sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
  return NULL;
}
