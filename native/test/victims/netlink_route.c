/* A netlink socket as resolvers and virtual machines keep it: its port, its groups, an answer to a question. */
#include "victim.h"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
VICTIM(netlink_route)

static int fd;
static struct sockaddr_nl name;

static void setup(void) {
  socklen_t size = sizeof name;
  struct sockaddr_nl wanted = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
  fd = MUST(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  MUST(bind(fd, (struct sockaddr *)&wanted, sizeof wanted));
  MUST(getsockname(fd, (struct sockaddr *)&name, &size));
}

static const char *check(void) {
  struct sockaddr_nl now;
  socklen_t size = sizeof now;
  EXPECT_EQUAL(getsockname(fd, (struct sockaddr *)&now, &size), 0);
  EXPECT_EQUAL(now.nl_pid, name.nl_pid);
  EXPECT_EQUAL(now.nl_groups, name.nl_groups);
  struct {
    struct nlmsghdr header;
    struct rtgenmsg message;
  } ask = {{.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg)), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP, .nlmsg_seq = 9}, {AF_UNSPEC}};
  EXPECT_EQUAL(send(fd, &ask, ask.header.nlmsg_len, 0), ask.header.nlmsg_len);
  static char answer[65536];
  for (int done = 0, links = 0; !done;) {
    ssize_t n = recv(fd, answer, sizeof answer, 0);
    EXPECT(n > 0);
    unsigned left = (unsigned)n;
    for (struct nlmsghdr *each = (struct nlmsghdr *)answer; NLMSG_OK(each, left); each = NLMSG_NEXT(each, left)) {
      if (each->nlmsg_seq != 9) continue;
      EXPECT_EQUAL(each->nlmsg_pid, name.nl_pid);
      if (each->nlmsg_type == NLMSG_DONE) done = 1;
      else links++;
    }
    if (done) EXPECT(links >= 1);
  }
  return NULL;
}
