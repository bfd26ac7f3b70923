/* An empty UDP datagram that waits and that nobody reads: it is there however often it slept. */
#include "victim.h"
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
VICTIM(udp_empty)

static int bound;

static void setup(void) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(7006), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  bound = MUST(socket(AF_INET, SOCK_DGRAM, 0));
  MUST(bind(bound, (struct sockaddr *)&here, sizeof here));
  MUST(sendto(bound, "", 0, 0, (struct sockaddr *)&here, sizeof here));
}

static const char *check(void) {
  struct pollfd waiting = {.fd = bound, .events = POLLIN};
  EXPECT_EQUAL(poll(&waiting, 1, 0), 1);
  return NULL;
}
