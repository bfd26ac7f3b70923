/* A connection that waits to be accepted on a unix socket, with data in it. */
#include "victim.h"
#include <sys/socket.h>
#include <sys/un.h>
VICTIM(unix_backlog)

static int listener, client;
static struct sockaddr_un path = {AF_UNIX, "/tmp/backlog"};

static void knock(void) {
  client = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
  MUST(connect(client, (struct sockaddr *)&path, sizeof path));
  MUST(write(client, "knock", 5));
}

static void setup(void) {
  listener = MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
  MUST(bind(listener, (struct sockaddr *)&path, sizeof path));
  MUST(listen(listener, 4));
  knock();
}

static const char *check(void) {
  char text[16];
  int server = accept(listener, NULL, NULL);
  EXPECT(server >= 0);
  EXPECT_EQUAL(read(server, text, 16), 5);
  close(server);
  close(client);
  knock();
  return NULL;
}
