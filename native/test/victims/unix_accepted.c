/* A connection over a named unix socket, both sides in one process; the peer's name and credentials can still be asked for. */
#include "victim.h"
#include <sys/socket.h>
#include <sys/un.h>
VICTIM(unix_accepted)

static int client, server;

static void setup(void) {
  struct sockaddr_un path = {AF_UNIX, "/tmp/accepted"};
  int listener = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
  MUST(bind(listener, (struct sockaddr *)&path, sizeof path));
  MUST(listen(listener, 4));
  client = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
  MUST(connect(client, (struct sockaddr *)&path, sizeof path));
  server = MUST(accept(listener, NULL, NULL));
  MUST(write(client, "waiting", 7));
}

static const char *check(void) {
  char text[16];
  struct ucred who;
  socklen_t size = sizeof who;
  EXPECT_EQUAL(read(server, text, 16), 7);
  EXPECT_EQUAL(write(client, "waiting", 7), 7);
  EXPECT_EQUAL(getsockopt(server, SOL_SOCKET, SO_PEERCRED, &who, &size), 0);
  EXPECT_EQUAL(who.uid, getuid());
  return NULL;
}
