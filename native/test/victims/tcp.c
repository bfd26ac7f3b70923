#include "tcp.h"

#include <ifaddrs.h>
#include <net/if.h>

const struct in_addr loopback = {0x0100007f};

struct in_addr own_address(void) {
  struct ifaddrs *all;
  struct in_addr found = loopback;
  MUST(getifaddrs(&all));
  for (struct ifaddrs *each = all; each; each = each->ifa_next)
    if (each->ifa_addr && each->ifa_addr->sa_family == AF_INET && !(each->ifa_flags & IFF_LOOPBACK)) found = ((struct sockaddr_in *)each->ifa_addr)->sin_addr;
  freeifaddrs(all);
  return found;
}

int listen_at(struct in_addr at, int port, struct sockaddr_in *address) {
  socklen_t size = sizeof *address;
  *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = at};
  int listener = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  MUST(bind(listener, (struct sockaddr *)address, size));
  MUST(listen(listener, 8));
  MUST(getsockname(listener, (struct sockaddr *)address, &size));
  return listener;
}

int connect_to(const struct sockaddr_in *address) {
  int client = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  MUST(connect(client, (const struct sockaddr *)address, sizeof *address));
  return client;
}

int connect_through(int listener, const struct sockaddr_in *address, int *accepted) {
  int client = connect_to(address);
  *accepted = MUST(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
  return client;
}

int number_option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return getsockopt(fd, level, name, &value, &size) < 0 ? -1 : value;
}
