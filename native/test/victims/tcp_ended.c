/* Connections that were over before: reset with data before it, and ended by both sides. */
#include "tcp.h"
VICTIM(tcp_ended)

static int listener, reset, ended;
static struct sockaddr_in address;

static void prepare(void) {
  int other;
  struct linger at_once = {1, 0};
  reset = connect_through(listener, &address, &other);
  MUST(write(other, "before", 6));
  MUST(setsockopt(other, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
  close(other);
  ended = connect_through(listener, &address, &other);
  MUST(write(other, "all", 3));
  close(other);
  MUST(shutdown(ended, SHUT_WR));
}

static void setup(void) {
  listener = listen_at(loopback, 7007, &address);
  prepare();
}

static const char *check(void) {
  char text[16];
  EXPECT_EQUAL(recv(reset, text, 16, 0), 6);
  EXPECT_EQUAL(recv(reset, text, 16, 0), -1);
  EXPECT_EQUAL(errno, ECONNRESET);
  EXPECT_EQUAL(recv(reset, text, 16, 0), 0);
  EXPECT_EQUAL(recv(ended, text, 16, 0), 3);
  EXPECT_EQUAL(recv(ended, text, 16, 0), 0);
  close(reset);
  close(ended);
  prepare();
  return NULL;
}
