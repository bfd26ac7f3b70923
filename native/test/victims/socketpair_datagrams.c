/* A unix datagram pair with messages waiting. */
#include "victim.h"
#include <sys/socket.h>
VICTIM(socketpair_datagrams)

static int pair[2];

static void setup(void) {
  MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair));
  MUST(write(pair[0], "one", 3));
  MUST(write(pair[0], "three", 5));
}

static const char *check(void) {
  char text[16];
  EXPECT_EQUAL(read(pair[1], text, 16), 3);
  EXPECT_EQUAL(read(pair[1], text, 16), 5);
  EXPECT_EQUAL(read(pair[1], text, 16), -1);
  EXPECT_EQUAL(write(pair[0], "one", 3), 3);
  EXPECT_EQUAL(write(pair[0], "three", 5), 5);
  return NULL;
}
