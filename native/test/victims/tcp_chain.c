/* A TCP connection between two sockets of the instance, with data on its way. */
#include "tcp.h"
VICTIM(tcp_chain)

static int client, server;

static void setup(void) {
  struct sockaddr_in address;
  int listener = listen_at(loopback, 7003, &address);
  client = connect_through(listener, &address, &server);
  MUST(write(client, "on its way", 10));
}

static const char *check(void) {
  char text[16];
  EXPECT_EQUAL(recv(server, text, 16, 0), 10);
  EXPECT_EQUAL(send(server, text, 10, MSG_NOSIGNAL), 10);
  EXPECT_EQUAL(recv(client, text, 16, 0), 10);
  EXPECT_EQUAL(send(client, "on its way", 10, MSG_NOSIGNAL), 10);
  return NULL;
}
