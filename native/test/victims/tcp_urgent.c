/* Urgent data of a TCP connection that nobody has read: refused. */
#include "victim.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

VICTIM(tcp_urgent)

static int here, there;

static void setup(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = MUST(socket(AF_INET, SOCK_STREAM, 0));
  MUST(bind(listener, (struct sockaddr *)&address, size));
  MUST(listen(listener, 1));
  MUST(getsockname(listener, (struct sockaddr *)&address, &size));
  here = MUST(socket(AF_INET, SOCK_STREAM, 0));
  MUST(connect(here, (struct sockaddr *)&address, size));
  there = MUST(accept(listener, NULL, NULL));
  close(listener);
  MUST(send(here, "!", 1, MSG_OOB));
  struct pollfd query = {there, POLLPRI, 0};
  while (poll(&query, 1, 100) < 1) {
  }
}

static const char *check(void) {
  struct pollfd query = {there, POLLPRI, 0};
  EXPECT_EQUAL(poll(&query, 1, 0), 1);
  EXPECT(query.revents & POLLPRI);
  return NULL;
}
