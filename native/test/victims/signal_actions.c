/* Handlers with flags and masks, ignored signals, and defaults. */
#include "victim.h"
VICTIM(signal_actions)

static volatile sig_atomic_t got;
static volatile union sigval value;
static void on(int number, siginfo_t *info, void *context) { (void)number; (void)context; got++; value = info->si_value; }

static void setup(void) {
  struct sigaction action = {.sa_sigaction = on, .sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER};
  sigaddset(&action.sa_mask, SIGUSR2);
  MUST(sigaction(SIGRTMIN + 3, &action, NULL));
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
}

static const char *check(void) {
  struct sigaction now;
  sigaction(SIGRTMIN + 3, NULL, &now);
  EXPECT(now.sa_sigaction == on);
  EXPECT_EQUAL(now.sa_flags & (SA_SIGINFO | SA_RESTART | SA_NODEFER), SA_SIGINFO | SA_RESTART | SA_NODEFER);
  EXPECT(sigismember(&now.sa_mask, SIGUSR2) && !sigismember(&now.sa_mask, SIGUSR1));
  sigaction(SIGHUP, NULL, &now);
  EXPECT(now.sa_handler == SIG_IGN);
  sigaction(SIGTERM, NULL, &now);
  EXPECT(now.sa_handler == SIG_DFL);
  int before = got;
  sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = 77 + before});
  EXPECT_EQUAL(got, before + 1);
  EXPECT_EQUAL(value.sival_int, 77 + before);
  return NULL;
}
