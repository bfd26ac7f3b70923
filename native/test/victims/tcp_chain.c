/* A TCP connection between two sockets of the instance, with data on its way. */
#include "victim.h"
#include <netinet/in.h>
#include <sys/socket.h>
VICTIM(tcp_chain)

static int client, server;

static void setup(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7003), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int listener = MUST(socket(AF_INET, SOCK_STREAM, 0));
  MUST(bind(listener, (struct sockaddr *)&address, sizeof address));
  MUST(listen(listener, 5));
  client = MUST(socket(AF_INET, SOCK_STREAM, 0));
  MUST(connect(client, (struct sockaddr *)&address, sizeof address));
  server = MUST(accept(listener, NULL, NULL));
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
