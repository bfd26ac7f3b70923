/* A pipe whose reader is gone gives EPIPE; data of an unread closed-writer pipe stays over several sleeps. */
#include "victim.h"
VICTIM(pipe_closed_reader)

static int broken, rest;

static void setup(void) {
  int ends[2];
  signal(SIGPIPE, SIG_IGN);
  MUST(pipe(ends));
  MUST(close(ends[0]));
  broken = ends[1];
  MUST(pipe2(ends, O_NONBLOCK));
  MUST(write(ends[1], "0123456789", 10));
  MUST(close(ends[1]));
  rest = ends[0];
}

static const char *check(void) {
  static int at;
  char byte;
  EXPECT_EQUAL(write(broken, "x", 1), -1);
  EXPECT_EQUAL(errno, EPIPE);
  if (at < 10) {
    EXPECT_EQUAL(read(rest, &byte, 1), 1);
    EXPECT_EQUAL(byte, '0' + at);
    at++;
  }
  return NULL;
}
