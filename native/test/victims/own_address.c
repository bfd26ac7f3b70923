/* Sockets bound to the pod's own address, which is another one in another pod: TCP that listens, UDP. */
#include "tcp.h"
VICTIM(own_address)

static int listener, udp;

static void setup(void) {
  struct sockaddr_in address;
  listener = listen_at(own_address(), 7008, &address);
  udp = MUST(socket(AF_INET, SOCK_DGRAM, 0));
  MUST(bind(udp, (struct sockaddr *)&address, sizeof address));
}

static const char *check(void) {
  char text[16];
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7008), .sin_addr = own_address()}, name;
  socklen_t size = sizeof name;
  for (int i = 0; i < 2; i++) {
    EXPECT_EQUAL(getsockname(i ? udp : listener, (struct sockaddr *)&name, &size), 0);
    EXPECT_EQUAL(name.sin_addr.s_addr, address.sin_addr.s_addr);
    EXPECT_EQUAL(name.sin_port, address.sin_port);
  }
  int client = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQUAL(connect(client, (struct sockaddr *)&address, sizeof address), 0);
  int server = accept(listener, NULL, NULL);
  EXPECT(server >= 0);
  close(client);
  close(server);
  EXPECT_EQUAL(sendto(udp, "self", 4, 0, (struct sockaddr *)&address, sizeof address), 4);
  EXPECT_EQUAL(recv(udp, text, 16, MSG_DONTWAIT), 4);
  return NULL;
}
