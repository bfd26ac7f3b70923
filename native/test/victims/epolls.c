/* epoll: level, edge and one-shot watches with their data, a nested set, a watched duplicate, a number that was closed or reused. */
#include "victim.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
VICTIM(epolls)

static int set, outer, level, edge, shot, reused, kept;

static void watch(int in, int fd, uint32_t events, uint64_t value) {
  struct epoll_event event = {.events = events, .data.u64 = value};
  MUST(epoll_ctl(in, EPOLL_CTL_ADD, fd, &event));
}

static void setup(void) {
  set = MUST(epoll_create1(EPOLL_CLOEXEC));
  outer = MUST(epoll_create1(0));
  level = MUST(eventfd(1, EFD_NONBLOCK));
  edge = MUST(eventfd(0, EFD_NONBLOCK));
  shot = MUST(eventfd(1, EFD_NONBLOCK));
  watch(set, level, EPOLLIN, 0x1111222233334444ull);
  watch(set, edge, EPOLLIN | EPOLLET, 2);
  watch(set, shot, EPOLLIN | EPOLLONESHOT, 3);
  int first = MUST(eventfd(1, EFD_NONBLOCK));
  kept = MUST(dup(first));
  watch(set, first, EPOLLIN, 4);
  MUST(close(first));                        /* the set watches on: `kept` holds the file */
  reused = MUST(eventfd(0, EFD_NONBLOCK));   /* the same number */
  if (reused != first) exit(3);
  int twice = MUST(dup(level));
  watch(set, twice, EPOLLIN, 5);
  watch(outer, set, EPOLLIN, 6);
  struct epoll_event events[8];
  epoll_wait(set, events, 8, 0);             /* uses up the one-shot */
}

static const char *check(void) {
  struct epoll_event events[8];
  unsigned seen = 0;
  int n = epoll_wait(set, events, 8, 1000);
  for (int i = 0; i < n; i++) {
    if (events[i].data.u64 == 0x1111222233334444ull) seen |= 1;
    else if (events[i].data.u64 < 8) seen |= 1u << events[i].data.u64;
    else return bad("a foreign event");
  }
  EXPECT_EQUAL(seen, 1 | 1 << 4 | 1 << 5);
  EXPECT_EQUAL(epoll_wait(outer, events, 8, 1000), 1);
  EXPECT_EQUAL(events[0].data.u64, 6);
  uint64_t one = 1;
  EXPECT_EQUAL(write(edge, &one, 8), 8);
  seen = 0;
  n = epoll_wait(set, events, 8, 1000);
  for (int i = 0; i < n; i++) if (events[i].data.u64 == 2) seen = 1;
  EXPECT_EQUAL(seen, 1);
  EXPECT_EQUAL(read(edge, &one, 8), 8);
  EXPECT_EQUAL(read(reused, &one, 8), -1);
  EXPECT_EQUAL(epoll_wait(set, events, 8, 0), 3);
  return NULL;
}
