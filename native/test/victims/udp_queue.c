/* UDP datagrams that wait to be read. UDP may lose them; the socket has to go on. */
#include "victim.h"
#include <netinet/in.h>
#include <sys/socket.h>
VICTIM(udp_queue)

static int fd;

static void setup(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7005), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  fd = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
  MUST(bind(fd, (struct sockaddr *)&address, sizeof address));
  MUST(sendto(fd, "lost?", 5, 0, (struct sockaddr *)&address, sizeof address));
}

static const char *check(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7005), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  char text[16];
  while (recv(fd, text, 16, 0) > 0) {
  }
  EXPECT_EQUAL(errno, EAGAIN);
  EXPECT_EQUAL(sendto(fd, "lost?", 5, 0, (struct sockaddr *)&address, sizeof address), 5);
  return NULL;
}
