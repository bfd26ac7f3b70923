/* unix socket pairs: data both ways, end of file after shutdown, dup. */
#include "victim.h"
#include <sys/socket.h>
VICTIM(socketpairs)

static int stream[2], twin;

static void setup(void) {
  MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, stream));
  twin = MUST(dup(stream[1]));
  MUST(write(stream[0], "to the second", 13));
  MUST(write(stream[1], "to first", 8));
}

static const char *check(void) {
  char text[64];
  EXPECT_EQUAL(read(twin, text, 64), 13);
  EXPECT(memcmp(text, "to the second", 13) == 0);
  EXPECT_EQUAL(read(stream[0], text, 64), 8);
  EXPECT(memcmp(text, "to first", 8) == 0);
  EXPECT_EQUAL(read(stream[0], text, 64), -1);
  EXPECT_EQUAL(write(stream[0], "to the second", 13), 13);
  EXPECT_EQUAL(write(stream[1], "to first", 8), 8);
  return NULL;
}
