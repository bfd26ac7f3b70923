/* A child in the session that its parent has left: refused by name. */
#include "victim.h"
VICTIM(left_session)

static pid_t child;

static const char *wait_forever(void) { return NULL; }
static struct helper helper;
static const char *make_child(void) {
  child = fork();
  if (child == 0)
    for (;;) pause();
  return setsid() < 0 ? bad("setsid") : NULL;
}

static void setup(void) { helper = start_helper(make_child, wait_forever); }

static const char *check(void) { return ask_helper(&helper); }
