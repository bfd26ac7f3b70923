/* Buffer sizes and time limits that a program set on its sockets. */
#include "tcp.h"

#include <netinet/tcp.h>
#include <sys/time.h>
VICTIM(socket_buffers)

static int fd;

static void setup(void) {
  int bytes = 50000, ttl = 17, idle = 33, yes = 1;
  struct timeval limit = {7, 0};
  fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
  MUST(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes));
  MUST(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes));
  MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
  MUST(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes));
  MUST(setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle));
  MUST(setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl));
}

static const char *check(void) {
  struct timeval limit;
  socklen_t size = sizeof limit;
  EXPECT_EQUAL(number_option(fd, SOL_SOCKET, SO_RCVBUF), 100000);
  EXPECT_EQUAL(number_option(fd, SOL_SOCKET, SO_SNDBUF), 100000);
  EXPECT_EQUAL(number_option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 33);
  EXPECT_EQUAL(number_option(fd, IPPROTO_IP, IP_TTL), 17);
  EXPECT_EQUAL(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, &size), 0);
  EXPECT_EQUAL(limit.tv_sec, 7);
  return NULL;
}
