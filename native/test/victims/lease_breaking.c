/* A lease that somebody waits to have given up: its holder has been told, and would not be told again: refused. */
#include "victim.h"

VICTIM(lease_breaking)

static int file;

static void setup(void) {
  signal(SIGIO, SIG_IGN);
  file = MUST(open("/tmp/wanted", O_RDWR | O_CREAT, 0600));
  MUST(fcntl(file, F_SETLEASE, F_WRLCK));
  if (open("/tmp/wanted", O_RDONLY | O_NONBLOCK) >= 0 || errno != EWOULDBLOCK) exit(3);
}

static const char *check(void) {
  EXPECT_EQUAL(fcntl(file, F_GETLEASE), F_RDLCK);
  return NULL;
}
