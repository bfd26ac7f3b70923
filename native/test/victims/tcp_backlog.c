/* TCP connections of the instance that wait to be accepted, in order: with data, shut down behind it, closed behind it. */
#include "tcp.h"
VICTIM(tcp_backlog)

static int listener, client[2];
static struct sockaddr_in address;

static int knock(const char *text) {
  int fd = connect_to(&address);
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
  listener = listen_at(loopback, 7011, &address);
  MUST(fcntl(listener, F_SETFL, O_NONBLOCK));
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
