/* A listening socket for both kinds of addresses, as many servers open it, with a connection over it. */
#include "victim.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

VICTIM(any_address6)

static int listener;
static struct sockaddr_in6 name = {.sin6_family = AF_INET6};

static void setup(void) {
  socklen_t size = sizeof name;
  listener = MUST(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  MUST(bind(listener, (struct sockaddr *)&name, size));
  MUST(listen(listener, 8));
  MUST(getsockname(listener, (struct sockaddr *)&name, &size));
}

static const char *check(void) {
  struct sockaddr_in over4 = {.sin_family = AF_INET, .sin_port = name.sin6_port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 peer, now;
  socklen_t size = sizeof now;
  EXPECT_EQUAL(getsockname(listener, (struct sockaddr *)&now, &size), 0);
  EXPECT(memcmp(&now, &name, sizeof now) == 0);
  int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQUAL(connect(client, (struct sockaddr *)&over4, sizeof over4), 0);
  size = sizeof peer;
  int accepted = accept(listener, (struct sockaddr *)&peer, &size);
  EXPECT(accepted >= 0);
  EXPECT(IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr));
  char byte = 0;
  EXPECT_EQUAL(send(client, "x", 1, 0), 1);
  EXPECT_EQUAL(recv(accepted, &byte, 1, 0), 1);
  close(client);
  close(accepted);
  return NULL;
}
