/* A pipe in packet mode keeps its packets apart; one whose mode was changed later does not. */
#include "victim.h"
VICTIM(pipe_packets)

static int packets[2], plain[2];

static void fill(void) {
  MUST(write(packets[1], "one", 3));
  MUST(write(packets[1], "three", 5));
  MUST(write(packets[1], "", 0));
  MUST(write(packets[1], "x", 1));
}

static void setup(void) {
  MUST(pipe2(packets, O_DIRECT | O_NONBLOCK));
  fill();
  MUST(pipe2(plain, O_NONBLOCK));
  MUST(write(plain[1], "ab", 2));
  MUST(write(plain[1], "cd", 2));
}

static const char *check(void) {
  char text[32];
  EXPECT_EQUAL(fcntl(packets[1], F_GETFL) & (O_DIRECT | O_NONBLOCK), O_DIRECT | O_NONBLOCK);
  EXPECT_EQUAL(read(packets[0], text, sizeof text), 3);
  EXPECT_EQUAL(read(packets[0], text, sizeof text), 5);
  EXPECT_EQUAL(read(packets[0], text, sizeof text), 1);
  EXPECT_EQUAL(read(packets[0], text, sizeof text), -1);
  fill();
  EXPECT_EQUAL(read(plain[0], text, sizeof text), 4);
  EXPECT_EQUAL(write(plain[1], "abcd", 4), 4);
  return NULL;
}
