/* A classic filter attached to a UDP socket: what it lets through, and that what waited has not met it again. */
#include "victim.h"
#include <linux/filter.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
VICTIM(socket_filter)

static int fd;
static struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = 0};

static void prepare(void) {
  /* Passes packets whose first byte behind the UDP header is 'y'. */
  struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 8), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'y', 0, 1), BPF_STMT(BPF_RET | BPF_K, 0xffff), BPF_STMT(BPF_RET | BPF_K, 0)};
  struct sock_fprog program = {4, code};
  int nothing = 0;
  setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &nothing, sizeof nothing);
  MUST(sendto(fd, "no, before", 10, 0, (struct sockaddr *)&here, sizeof here));
  struct pollfd come = {fd, POLLIN, 0};
  MUST(poll(&come, 1, 5000));
  MUST(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
}

static void setup(void) {
  here.sin_port = htons(7009);
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  fd = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
  MUST(bind(fd, (struct sockaddr *)&here, sizeof here));
  prepare();
}

static const char *check(void) {
  char text[16];
  EXPECT_EQUAL(recv(fd, text, 16, 0), 10);
  EXPECT_EQUAL(sendto(fd, "no", 2, 0, (struct sockaddr *)&here, sizeof here), 2);
  EXPECT_EQUAL(sendto(fd, "yes", 3, 0, (struct sockaddr *)&here, sizeof here), 3);
  EXPECT_EQUAL(recv(fd, text, 16, 0), 3);
  EXPECT_EQUAL(recv(fd, text, 16, 0), -1);
  prepare();
  return NULL;
}
