/* Listening unix sockets: by path and with an abstract name; connections are taken after the wake. */
#include "victim.h"
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
VICTIM(unix_listen)

static int named, abstract;
static struct sockaddr_un path = {AF_UNIX, "/tmp/a listener"}, hidden = {AF_UNIX, "\0of the victim"};
static const socklen_t kHidden = offsetof(struct sockaddr_un, sun_path) + 14;

static void setup(void) {
  named = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
  MUST(bind(named, (struct sockaddr *)&path, sizeof path));
  MUST(chmod(path.sun_path, 0640));
  MUST(listen(named, 4));
  abstract = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
  MUST(bind(abstract, (struct sockaddr *)&hidden, kHidden));
  MUST(listen(abstract, 4));
}

static const char *talk(int listener, struct sockaddr_un *to, socklen_t bytes) {
  char text[8];
  int client = socket(AF_UNIX, SOCK_STREAM, 0);
  EXPECT_EQUAL(connect(client, (struct sockaddr *)to, bytes), 0);
  int server = accept(listener, NULL, NULL);
  EXPECT(server >= 0);
  EXPECT_EQUAL(write(client, "hello", 5), 5);
  EXPECT_EQUAL(read(server, text, 8), 5);
  close(client);
  close(server);
  return NULL;
}

static const char *check(void) {
  struct stat status;
  EXPECT_EQUAL(stat(path.sun_path, &status), 0);
  EXPECT_EQUAL(status.st_mode & 07777, 0640);
  const char *why = talk(named, &path, sizeof path);
  return why ? why : talk(abstract, &hidden, kHidden);
}
