/* TCP connections of the instance that wait to be accepted, in order: with data, shut down behind it, closed behind it. */
#include "victim.h"
#include <netinet/in.h>
#include <sys/socket.h>
VICTIM(tcp_backlog)

static int listener, client[2];
static struct sockaddr_in address;

static int knock(const char *text) {
  int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
  MUST(connect(fd, (struct sockaddr *)&address, sizeof address));
  MUST(write(fd, text, strlen(text)));
  return fd;
}

static void prepare(void) {
  client[0] = knock("first");
  client[1] = knock("second");
  MUST(shutdown(client[1], SHUT_WR));
  close(knock("third, and gone"));
}

static void setup(void) {
  address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(7011), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  listener = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  MUST(bind(listener, (struct sockaddr *)&address, sizeof address));
  MUST(listen(listener, 8));
  prepare();
}

static const char *check(void) {
  char text[32];
  static const char *wanted[] = {"first", "second", "third, and gone"};
  for (int i = 0; i < 3; i++) {
    struct sockaddr_in peer, own;
    socklen_t size = sizeof peer;
    int server = accept(listener, (struct sockaddr *)&peer, &size);
    EXPECT(server >= 0);
    EXPECT_EQUAL(recv(server, text, sizeof text, 0), strlen(wanted[i]));
    EXPECT(memcmp(text, wanted[i], strlen(wanted[i])) == 0);
    if (i > 0) EXPECT_EQUAL(recv(server, text, sizeof text, 0), 0);
    if (i < 2) {
      EXPECT_EQUAL(getsockname(client[i], (struct sockaddr *)&own, &size), 0);
      EXPECT_EQUAL(own.sin_port, peer.sin_port);
      EXPECT_EQUAL(send(server, "answer", 6, MSG_NOSIGNAL), 6);
      EXPECT_EQUAL(recv(client[i], text, sizeof text, 0), 6);
      close(client[i]);
    }
    close(server);
  }
  EXPECT_EQUAL(accept(listener, NULL, NULL), -1);
  prepare();
  return NULL;
}
