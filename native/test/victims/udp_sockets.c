/* UDP: one bound, one connected to it, and their options. */
#include "victim.h"
#include <netinet/in.h>
#include <sys/socket.h>
VICTIM(udp_sockets)

static int bound, connected;

static void setup(void) {
  int yes = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7004), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  bound = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
  MUST(setsockopt(bound, SOL_SOCKET, SO_BROADCAST, &yes, sizeof yes));
  MUST(bind(bound, (struct sockaddr *)&address, sizeof address));
  connected = MUST(socket(AF_INET, SOCK_DGRAM, 0));
  MUST(connect(connected, (struct sockaddr *)&address, sizeof address));
}

static const char *check(void) {
  char text[16];
  int on = 0;
  socklen_t size = sizeof on;
  EXPECT_EQUAL(getsockopt(bound, SOL_SOCKET, SO_BROADCAST, &on, &size), 0);
  EXPECT_EQUAL(on, 1);
  EXPECT_EQUAL(send(connected, "hello", 5, 0), 5);
  struct sockaddr_in from;
  size = sizeof from;
  EXPECT_EQUAL(recvfrom(bound, text, 16, 0, (struct sockaddr *)&from, &size), 5);
  EXPECT_EQUAL(sendto(bound, "back", 4, 0, (struct sockaddr *)&from, size), 4);
  EXPECT_EQUAL(recv(connected, text, 16, MSG_DONTWAIT), 4);
  return NULL;
}
