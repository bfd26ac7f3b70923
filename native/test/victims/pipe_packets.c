/* A pipe in packet mode with packets in it: refused, since their borders cannot be read without taking them. */
#include "victim.h"
VICTIM(pipe_packets)

static int packets[2];

static void put(void) {
  MUST(write(packets[1], "one", 3));
  MUST(write(packets[1], "three", 5));
}

static void setup(void) {
  MUST(pipe2(packets, O_DIRECT | O_NONBLOCK));
  put();
}

static const char *check(void) {
  char text[16];
  EXPECT_EQUAL(read(packets[0], text, 16), 3);
  EXPECT_EQUAL(read(packets[0], text, 16), 5);
  put();
  return NULL;
}
