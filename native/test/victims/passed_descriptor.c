/* A descriptor on its way over a unix socket (SCM_RIGHTS). */
#include "victim.h"
#include <sys/socket.h>
VICTIM(passed_descriptor)

static int pair[2];

static void put(void) {
  int ends[2];
  MUST(pipe(ends));
  char byte = 'x', control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec vector = {&byte, 1};
  struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(part), &ends[0], sizeof(int));
  MUST(write(ends[1], "through", 7));
  MUST(sendmsg(pair[0], &header, 0));
  close(ends[0]);
  close(ends[1]);
}

static void setup(void) {
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  put();
}

static const char *check(void) {
  char byte, text[16], control[CMSG_SPACE(sizeof(int))];
  struct iovec vector = {&byte, 1};
  struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  EXPECT_EQUAL(recvmsg(pair[1], &header, MSG_DONTWAIT), 1);
  EXPECT(CMSG_FIRSTHDR(&header) != NULL);
  int fd;
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof fd);
  EXPECT_EQUAL(read(fd, text, 16), 7);
  close(fd);
  put();
  return NULL;
}
