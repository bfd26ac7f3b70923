/* Listening TCP sockets with their options; a new connection is served on each. */
#include "tcp.h"

#include <netinet/tcp.h>
VICTIM(tcp_listen)

static int four, six;

static void setup(void) {
  int yes = 1, defer = 5;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7001), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  four = MUST(socket(AF_INET, SOCK_STREAM, 0));
  MUST(setsockopt(four, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes));
  MUST(setsockopt(four, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes));
  MUST(setsockopt(four, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes));
  MUST(setsockopt(four, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof defer));
  MUST(bind(four, (struct sockaddr *)&address, sizeof address));
  MUST(listen(four, 33));
  struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(7002)};
  six = socket(AF_INET6, SOCK_STREAM, 0);
  if (six < 0) return;  /* no IPv6 here */
  MUST(setsockopt(six, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes));
  MUST(bind(six, (struct sockaddr *)&any, sizeof any));
  MUST(listen(six, 5));
}

static const char *check(void) {
  char text[8];
  struct tcp_info info;
  socklen_t size = sizeof info;
  EXPECT_EQUAL(number_option(four, SOL_SOCKET, SO_REUSEPORT), 1);
  EXPECT_EQUAL(number_option(four, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT(number_option(four, IPPROTO_TCP, TCP_DEFER_ACCEPT) > 0);
  EXPECT_EQUAL(getsockopt(four, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
  EXPECT_EQUAL(info.tcpi_sacked, 33);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7001), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int client = connect_to(&address);
  EXPECT_EQUAL(write(client, "hello", 5), 5);
  int server = accept(four, NULL, NULL);
  EXPECT(server >= 0);
  EXPECT_EQUAL(read(server, text, 8), 5);
  close(server);
  close(client);
  if (six >= 0) EXPECT_EQUAL(number_option(six, IPPROTO_IPV6, IPV6_V6ONLY), 1);
  return NULL;
}
