/* A descriptor under way over a unix socket that could not be opened again where it arrives: refused. */
#include "victim.h"

#include <sys/socket.h>

VICTIM(passed_proc_file)

static int ends[2];

static void setup(void) {
  MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  int file = MUST(open("/proc/self/status", O_RDONLY | O_CLOEXEC));
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
  memcpy(CMSG_DATA(&control.header), &file, sizeof file);
  struct iovec one = {"x", 1};
  struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  MUST(sendmsg(ends[0], &message, 0));
  close(file);
}

static const char *check(void) {
  char byte = 0;
  EXPECT_EQUAL(recv(ends[1], &byte, 1, MSG_PEEK | MSG_DONTWAIT), 1);
  EXPECT_EQUAL(byte, 'x');
  return NULL;
}
