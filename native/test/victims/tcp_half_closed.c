/* TCP connections of the instance of which one end, the other, or both have been shut down, with data in front of the end. */
#include "tcp.h"
VICTIM(tcp_half_closed)

static int listener, client[3], server[3];
static struct sockaddr_in address;

static void prepare(void) {
  for (int i = 0; i < 3; i++) client[i] = connect_through(listener, &address, &server[i]);
  MUST(write(client[0], "last", 4));
  MUST(shutdown(client[0], SHUT_WR));
  MUST(write(server[1], "words", 5));
  MUST(close(server[1]));
  MUST(shutdown(client[2], SHUT_WR));
  MUST(write(server[2], "bye", 3));
  MUST(shutdown(server[2], SHUT_WR));
}

static void setup(void) {
  listener = listen_at(loopback, 7005, &address);
  prepare();
}

static const char *check(void) {
  char text[16];
  EXPECT_EQUAL(recv(server[0], text, 16, 0), 4);
  EXPECT_EQUAL(recv(server[0], text, 16, 0), 0);
  EXPECT_EQUAL(send(server[0], "answer", 6, MSG_NOSIGNAL), 6);
  EXPECT_EQUAL(recv(client[0], text, 16, 0), 6);
  EXPECT_EQUAL(send(client[0], "x", 1, MSG_NOSIGNAL), -1);
  EXPECT_EQUAL(errno, EPIPE);
  EXPECT_EQUAL(recv(client[1], text, 16, 0), 5);
  EXPECT_EQUAL(recv(client[1], text, 16, 0), 0);
  EXPECT_EQUAL(recv(client[2], text, 16, 0), 3);
  EXPECT_EQUAL(recv(client[2], text, 16, 0), 0);
  EXPECT_EQUAL(recv(server[2], text, 16, 0), 0);
  for (int i = 0; i < 3; i++) close(client[i]);
  close(server[0]);
  close(server[2]);
  prepare();
  return NULL;
}
