/* TCP between two processes of the instance, by the pod's own address: names of both ends, options, readiness in an epoll set. */
#include "tcp.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
VICTIM(tcp_between)

static int listener, client, set;
static struct sockaddr_in mine, theirs;
static struct helper server;

static int accepted;

static const char *take(void) {
  accepted = accept(listener, NULL, NULL);
  close(listener);
  EXPECT(accepted >= 0);
  EXPECT_EQUAL(send(accepted, "from the start", 14, MSG_NOSIGNAL), 14);
  return NULL;
}

/* In the child: echoes one message, and sends the next that will wait. */
static const char *echo(void) {
  char text[32];
  ssize_t n = recv(accepted, text, sizeof text, 0);
  EXPECT_EQUAL(n, 4);
  EXPECT_EQUAL(send(accepted, "from the start", 14, MSG_NOSIGNAL), 14);
  return NULL;
}

static void setup(void) {
  struct sockaddr_in address;
  socklen_t size = sizeof mine;
  int yes = 1;
  listener = listen_at(own_address(), 7006, &address);
  client = connect_to(&address);
  MUST(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes));
  server = start_helper(take, echo);
  MUST(getsockname(client, (struct sockaddr *)&mine, &size));
  MUST(getpeername(client, (struct sockaddr *)&theirs, &size));
  set = MUST(epoll_create1(0));
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 77};
  MUST(epoll_ctl(set, EPOLL_CTL_ADD, client, &event));
}

static const char *check(void) {
  char text[32];
  struct sockaddr_in now;
  struct epoll_event event;
  socklen_t size = sizeof now;
  EXPECT_EQUAL(epoll_wait(set, &event, 1, 5000), 1);
  EXPECT_EQUAL(event.data.u64, 77);
  EXPECT_EQUAL(recv(client, text, sizeof text, 0), 14);
  EXPECT_EQUAL(getsockname(client, (struct sockaddr *)&now, &size), 0);
  EXPECT_EQUAL(now.sin_port, mine.sin_port);
  EXPECT_EQUAL(now.sin_addr.s_addr, own_address().s_addr);
  EXPECT_EQUAL(getpeername(client, (struct sockaddr *)&now, &size), 0);
  EXPECT_EQUAL(now.sin_port, theirs.sin_port);
  EXPECT_EQUAL(number_option(client, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQUAL(send(client, "more", 4, MSG_NOSIGNAL), 4);
  return ask_helper(&server);
}
