/* A child of the pod's init: its parent ended before. */
#include "victim.h"
VICTIM(orphan)

static struct helper *shared;
static int ask[2], told[2];

static void setup(void) {
  shared = NULL;
  MUST(pipe(ask));
  MUST(pipe(told));
  pid_t middle = MUST(fork());
  if (middle == 0) {
    if (fork() != 0) _exit(0);
    char byte;
    while (getppid() != 1) sleep_ms(1);
    MUST(write(told[1], "r", 1));
    while (read(ask[0], &byte, 1) == 1) {
      byte = getppid() == 1 ? 'y' : 'n';
      MUST(write(told[1], &byte, 1));
    }
    _exit(0);
  }
  char byte;
  MUST(waitpid(middle, NULL, 0));
  MUST(read(told[0], &byte, 1));
}

static const char *check(void) {
  char byte = 0;
  EXPECT_EQUAL(write(ask[1], "?", 1), 1);
  EXPECT_EQUAL(read(told[0], &byte, 1), 1);
  EXPECT_EQUAL(byte, 'y');
  return NULL;
}
