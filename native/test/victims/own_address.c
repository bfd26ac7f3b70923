/* Sockets bound to the pod's own address, which is another one in another pod: TCP that listens, UDP. */
#include "victim.h"
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
VICTIM(own_address)

static int listener, udp;

static struct in_addr own_address(void) {
  struct ifaddrs *all;
  struct in_addr found = {htonl(INADDR_LOOPBACK)};
  MUST(getifaddrs(&all));
  for (struct ifaddrs *each = all; each; each = each->ifa_next)
    if (each->ifa_addr && each->ifa_addr->sa_family == AF_INET && !(each->ifa_flags & IFF_LOOPBACK)) found = ((struct sockaddr_in *)each->ifa_addr)->sin_addr;
  freeifaddrs(all);
  return found;
}

static void setup(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7008), .sin_addr = own_address()};
  listener = MUST(socket(AF_INET, SOCK_STREAM, 0));
  MUST(bind(listener, (struct sockaddr *)&address, sizeof address));
  MUST(listen(listener, 5));
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
