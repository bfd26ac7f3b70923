/* Urgent data of a TCP connection that nobody has read: refused. */
#include "tcp.h"

#include <poll.h>

VICTIM(tcp_urgent)

static int here, there;

static void setup(void) {
  struct sockaddr_in address;
  int listener = listen_at(loopback, 0, &address);
  here = connect_through(listener, &address, &there);
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
