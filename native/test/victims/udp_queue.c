/* UDP datagrams that wait to be read, with their senders: one socket bound, one connected. */
#include "victim.h"
#include <netinet/in.h>
#include <sys/socket.h>
VICTIM(udp_queue)

static int bound, connected;
static struct sockaddr_in here, there;

static void prepare(void) {
  MUST(sendto(connected, "one", 3, 0, NULL, 0));
  MUST(sendto(connected, "", 0, 0, NULL, 0));
  MUST(sendto(connected, "three", 5, 0, NULL, 0));
  MUST(sendto(bound, "back", 4, 0, (struct sockaddr *)&there, sizeof there));
}

static void setup(void) {
  socklen_t size = sizeof there;
  here = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(7005)};
  bound = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
  MUST(bind(bound, (struct sockaddr *)&here, sizeof here));
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  connected = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
  MUST(connect(connected, (struct sockaddr *)&here, sizeof here));
  MUST(getsockname(connected, (struct sockaddr *)&there, &size));
  prepare();
}

static const char *check(void) {
  struct sockaddr_in from;
  socklen_t size = sizeof from;
  char text[16];
  EXPECT_EQUAL(recvfrom(bound, text, 16, 0, (struct sockaddr *)&from, &size), 3);
  EXPECT_EQUAL(from.sin_port, there.sin_port);
  EXPECT_EQUAL(from.sin_addr.s_addr, there.sin_addr.s_addr);
  EXPECT_EQUAL(recv(bound, text, 16, 0), 0);
  EXPECT_EQUAL(recv(bound, text, 16, 0), 5);
  EXPECT_EQUAL(recv(bound, text, 16, 0), -1);
  EXPECT_EQUAL(errno, EAGAIN);
  EXPECT_EQUAL(recv(connected, text, 16, 0), 4);
  EXPECT_EQUAL(recv(connected, text, 16, 0), -1);
  prepare();
  return NULL;
}
