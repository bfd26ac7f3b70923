/* A socket pair between parent and child, as servers use to talk to their workers. */
#include "victim.h"
#include <sys/socket.h>
VICTIM(socketpair_fork)

static int mine;
static pid_t child;

static void setup(void) {
  int pair[2];
  MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
  mine = pair[0];
  if ((child = MUST(fork())) == 0) {
    char text[64];
    close(pair[0]);
    for (ssize_t n; (n = read(pair[1], text, 64)) > 0;) MUST(write(pair[1], text, (size_t)n));
    _exit(0);
  }
  close(pair[1]);
}

static const char *check(void) {
  char text[64];
  EXPECT_EQUAL(write(mine, "there and back", 14), 14);
  EXPECT_EQUAL(read(mine, text, 64), 14);
  EXPECT(memcmp(text, "there and back", 14) == 0);
  EXPECT_EQUAL(kill(child, 0), 0);
  EXPECT_EQUAL(waitpid(child, NULL, WNOHANG), 0);
  return NULL;
}
