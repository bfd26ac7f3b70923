/* Multicast groups: joined on loopback and on the pod's interface, with and without sources; interface and TTL to send with. */
#include "victim.h"
#include <netinet/in.h>
#include <sys/socket.h>
VICTIM(multicast)

static int fd;
static const char *groups[] = {"239.1.2.3", "239.1.2.4"};

#include <arpa/inet.h>

static void setup(void) {
  int ttl = 5;
  struct in_addr loopback = {htonl(INADDR_LOOPBACK)};
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(7010)};
  fd = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
  MUST(bind(fd, (struct sockaddr *)&any, sizeof any));
  struct ip_mreqn join = {{inet_addr(groups[0])}, loopback, 0};
  MUST(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join));
  struct ip_mreq elsewhere = {{inet_addr("239.9.9.9")}, {htonl(INADDR_ANY)}};
  MUST(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &elsewhere, sizeof elsewhere));
  struct ip_mreq_source source = {{inet_addr(groups[1])}, loopback, {inet_addr("127.0.0.5")}};
  MUST(setsockopt(fd, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &source, sizeof source));
  MUST(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &loopback, sizeof loopback));
  MUST(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof ttl));
}

static const char *check(void) {
  char text[16];
  int ttl = 0;
  socklen_t size = sizeof ttl;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(7010), .sin_addr.s_addr = inet_addr(groups[0])};
  EXPECT_EQUAL(getsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, &size), 0);
  EXPECT_EQUAL(ttl, 5);
  EXPECT_EQUAL(sendto(fd, "all", 3, 0, (struct sockaddr *)&to, sizeof to), 3);
  EXPECT_EQUAL(recv(fd, text, 16, 0), 3);
  to.sin_addr.s_addr = inet_addr(groups[1]);
  EXPECT_EQUAL(sendto(fd, "not from here", 13, 0, (struct sockaddr *)&to, sizeof to), 13);
  EXPECT_EQUAL(recv(fd, text, 16, 0), -1);
  int other = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr("127.0.0.5")};
  struct in_addr loopback = {htonl(INADDR_LOOPBACK)};
  EXPECT_EQUAL(bind(other, (struct sockaddr *)&source, sizeof source), 0);
  EXPECT_EQUAL(setsockopt(other, IPPROTO_IP, IP_MULTICAST_IF, &loopback, sizeof loopback), 0);
  EXPECT_EQUAL(sendto(other, "from it", 7, 0, (struct sockaddr *)&to, sizeof to), 7);
  close(other);
  EXPECT_EQUAL(recv(fd, text, 16, 0), 7);
  struct ip_mreq elsewhere = {{inet_addr("239.9.9.9")}, {htonl(INADDR_ANY)}};
  EXPECT_EQUAL(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &elsewhere, sizeof elsewhere), 0);  /* a member */
  EXPECT_EQUAL(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &elsewhere, sizeof elsewhere), 0);
  return NULL;
}
