/* A classical daemon that is all there is: the process that was launched has ended, so has its session's leader, and it has a child. */
#include "victim.h"
VICTIM(daemon_itself)

static pid_t session;
static struct helper worker;

static const char *prepare(void) { return NULL; }

static const char *inSession(void) {
  EXPECT_EQUAL(getsid(0), session);
  EXPECT_EQUAL(getpgrp(), session);
  return "";
}

static void setup(void) {
  if (MUST(fork()) != 0) _exit(0);
  session = MUST(setsid());
  if (MUST(fork()) != 0) _exit(0);
  while (getppid() != 1) sleep_ms(1);
  worker = start_helper(prepare, inSession);
}

static const char *check(void) {
  EXPECT_EQUAL(getsid(0), session);
  EXPECT_EQUAL(getpgrp(), session);
  EXPECT_EQUAL(getppid(), 1);
  return ask_helper(&worker);
}
