/* Connections that were over before: reset with data before it, and ended by both sides. */
#include "victim.h"
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
VICTIM(tcp_ended)

static int listener, reset, ended;
static struct sockaddr_in address;

static int connection(int *accepted) {
  int client = MUST(socket(AF_INET, SOCK_STREAM, 0));
  MUST(connect(client, (struct sockaddr *)&address, sizeof address));
  *accepted = MUST(accept(listener, NULL, NULL));
  return client;
}

static void prepare(void) {
  int other;
  struct linger at_once = {1, 0};
  reset = connection(&other);
  MUST(write(other, "before", 6));
  MUST(setsockopt(other, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
  close(other);
  ended = connection(&other);
  MUST(write(other, "all", 3));
  close(other);
  MUST(shutdown(ended, SHUT_WR));
}

static void setup(void) {
  address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(7007), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  listener = MUST(socket(AF_INET, SOCK_STREAM, 0));
  MUST(bind(listener, (struct sockaddr *)&address, sizeof address));
  MUST(listen(listener, 5));
  prepare();
}

static const char *check(void) {
  char text[16];
  EXPECT_EQUAL(recv(reset, text, 16, 0), 6);
  EXPECT_EQUAL(recv(reset, text, 16, 0), -1);
  EXPECT_EQUAL(errno, ECONNRESET);
  EXPECT_EQUAL(recv(reset, text, 16, 0), 0);
  EXPECT_EQUAL(recv(ended, text, 16, 0), 3);
  EXPECT_EQUAL(recv(ended, text, 16, 0), 0);
  close(reset);
  close(ended);
  prepare();
  return NULL;
}
