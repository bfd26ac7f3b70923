/* Messages waiting in datagram and seqpacket sockets, empty ones among them, with the names of their senders. */
#include "victim.h"
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
VICTIM(unix_messages)

static int packets[2], datagrams[2], box, sender;
static struct sockaddr_un path = {AF_UNIX, "/tmp/box"}, name = {AF_UNIX, "\0the sender"};
static const socklen_t name_size = offsetof(struct sockaddr_un, sun_path) + 11;
static char large[100000];

static void prepare(void) {
  MUST(send(packets[0], "one", 3, 0));
  MUST(send(packets[0], "three", 5, 0));
  MUST(send(packets[1], large, sizeof large, 0));
  MUST(send(datagrams[0], "first", 5, 0));
  MUST(send(datagrams[0], "", 0, 0));
  MUST(send(datagrams[0], "third", 5, 0));
  MUST(send(sender, "to the box", 10, 0));
}

static void setup(void) {
  paint(large, sizeof large, 4);
  MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packets));
  MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams));
  box = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
  MUST(bind(box, (struct sockaddr *)&path, sizeof path));
  sender = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
  MUST(bind(sender, (struct sockaddr *)&name, name_size));
  MUST(connect(sender, (struct sockaddr *)&path, sizeof path));
  prepare();
}

static const char *check(void) {
  static char text[100001];
  struct sockaddr_un from;
  socklen_t size = sizeof from;
  EXPECT_EQUAL(recv(packets[1], text, 100, MSG_DONTWAIT), 3);
  EXPECT_EQUAL(recv(packets[1], text, 100, MSG_DONTWAIT), 5);
  EXPECT_EQUAL(recv(packets[1], text, 100, MSG_DONTWAIT), -1);
  EXPECT_EQUAL(recv(packets[0], text, sizeof text, MSG_DONTWAIT), sizeof large);
  EXPECT(painted(text, sizeof large, 4));
  EXPECT_EQUAL(recv(datagrams[1], text, 100, MSG_DONTWAIT), 5);
  EXPECT_EQUAL(recv(datagrams[1], text, 100, MSG_DONTWAIT), 0);
  EXPECT_EQUAL(recv(datagrams[1], text, 100, MSG_DONTWAIT), 5);
  EXPECT_EQUAL(recv(datagrams[1], text, 100, MSG_DONTWAIT), -1);
  EXPECT_EQUAL(recvfrom(box, text, 100, MSG_DONTWAIT, (struct sockaddr *)&from, &size), 10);
  EXPECT_EQUAL(size, name_size);
  EXPECT(memcmp(&from, &name, name_size) == 0);
  prepare();
  return NULL;
}
