/* A netlink socket with an answer that nobody has read: nobody can ask for it again in the program's name, so it is refused. */
#include "victim.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

VICTIM(netlink_waiting)

static int route;

static void setup(void) {
  struct {
    struct nlmsghdr header;
    struct rtgenmsg request;
  } ask = {{sizeof ask, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {AF_UNSPEC}};
  route = MUST(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  MUST(send(route, &ask, sizeof ask, 0));
}

static const char *check(void) {
  struct nlmsghdr header;
  EXPECT_EQUAL(recv(route, &header, sizeof header, MSG_PEEK | MSG_DONTWAIT), sizeof header);
  EXPECT_EQUAL(header.nlmsg_type, RTM_NEWLINK);
  return NULL;
}
