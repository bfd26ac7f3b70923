/* A unix stream whose peer is gone: what it sent is still there, then the end. */
#include "victim.h"
#include <sys/socket.h>
VICTIM(socketpair_ended)

static int mine;

static void setup(void) {
  int pair[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
  MUST(write(pair[1], "0123456789", 10));
  MUST(close(pair[1]));
  mine = pair[0];
}

static const char *check(void) {
  static int at;
  char byte;
  if (at < 10) {
    EXPECT_EQUAL(read(mine, &byte, 1), 1);
    EXPECT_EQUAL(byte, '0' + at);
    at++;
  }
  if (at == 10) EXPECT_EQUAL(read(mine, &byte, 1), 0);
  return NULL;
}
