/* A socket pair of which one direction was shut down. */
#include "victim.h"
#include <sys/socket.h>
VICTIM(socketpair_shutdown)

static int pair[2];

static void setup(void) {
  signal(SIGPIPE, SIG_IGN);
  MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
  MUST(shutdown(pair[0], SHUT_WR));
  MUST(write(pair[1], "back", 4));
}

static const char *check(void) {
  char text[16];
  EXPECT_EQUAL(read(pair[1], text, 16), 0);
  EXPECT_EQUAL(write(pair[0], "x", 1), -1);
  EXPECT_EQUAL(errno, EPIPE);
  EXPECT_EQUAL(read(pair[0], text, 16), 4);
  EXPECT_EQUAL(write(pair[1], "back", 4), 4);
  return NULL;
}
