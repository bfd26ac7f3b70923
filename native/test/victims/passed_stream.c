/* Descriptors in a stream between bytes that are read by themselves; one of them is the other end of the very socket; and they
 * carry others. */
#include "victim.h"
#include <sys/socket.h>
VICTIM(passed_stream)

static int pair[2], inner[2];

static void pass(int over, const char *text, const int *fds, size_t count) {
  char control[CMSG_SPACE(2 * sizeof(int))] = {0};
  struct iovec vector = {(void *)(uintptr_t)text, strlen(text)};
  struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
  struct cmsghdr *part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(count * sizeof(int));
  memcpy(CMSG_DATA(part), fds, count * sizeof(int));
  MUST(sendmsg(over, &header, 0));
}

static void put(void) {
  int event, ends[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, inner));
  MUST(pipe(ends));
  MUST(write(ends[1], "deep", 4));
  pass(inner[0], "i", &ends[0], 1);
  MUST(write(pair[0], "head", 4));
  pass(pair[0], "body", (int[]){inner[1], pair[1]}, 2);
  MUST(write(pair[0], "tail", 4));
  event = MUST(open("/etc/passwd", O_RDONLY));
  pass(pair[0], "file", &event, 1);
  close(event);
  close(ends[0]);
  close(ends[1]);
  close(inner[0]);
  close(inner[1]);
}

static void setup(void) {
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  put();
}

static ssize_t take(int from, char *text, size_t bytes, int *fds, int *count) {
  char control[CMSG_SPACE(4 * sizeof(int))];
  struct iovec vector = {text, bytes};
  struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t n = recvmsg(from, &header, MSG_DONTWAIT);
  struct cmsghdr *part = n > 0 ? CMSG_FIRSTHDR(&header) : NULL;
  *count = part ? (int)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
  if (*count) memcpy(fds, CMSG_DATA(part), (size_t)*count * sizeof(int));
  return n;
}

static const char *check(void) {
  char text[64];
  int fds[4], more[4], count;
  EXPECT_EQUAL(read(pair[1], text, 4), 4);  /* without room for descriptors: they must not belong to these bytes */
  EXPECT(memcmp(text, "head", 4) == 0);
  EXPECT_EQUAL(take(pair[1], text, 4, fds, &count), 4);
  EXPECT_EQUAL(count, 2);
  EXPECT(memcmp(text, "body", 4) == 0);
  EXPECT_EQUAL(take(fds[0], text, sizeof text, more, &count), 1);
  EXPECT_EQUAL(count, 1);
  EXPECT_EQUAL(read(more[0], text, 16), 4);
  close(more[0]);
  close(fds[0]);
  EXPECT_EQUAL(read(fds[1], text, 4), 4);
  EXPECT(memcmp(text, "tail", 4) == 0);
  close(fds[1]);
  EXPECT_EQUAL(take(pair[1], text, sizeof text, fds, &count), 4);
  EXPECT_EQUAL(count, 1);
  EXPECT_EQUAL(read(fds[0], text, 4), 4);
  close(fds[0]);
  put();
  return NULL;
}
