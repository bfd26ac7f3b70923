/* Some thousand descriptors of all kinds, with large numbers among them. */
#include "victim.h"

#include <sys/eventfd.h>
#include <sys/resource.h>

VICTIM(many_descriptors)

enum { kEvents = 1500, kPipes = 300, kHigh = 9000 };
static int events[kEvents], pipes[kPipes][2], high;

static void setup(void) {
  struct rlimit limit = {kHigh + 10, kHigh + 10};
  MUST(setrlimit(RLIMIT_NOFILE, &limit));
  for (int i = 0; i < kEvents; i++) events[i] = MUST(eventfd((unsigned)i, EFD_NONBLOCK | EFD_CLOEXEC));
  for (int i = 0; i < kPipes; i++) {
    MUST(pipe(pipes[i]));
    MUST(write(pipes[i][1], &i, sizeof i));
  }
  high = MUST(fcntl(events[7], F_DUPFD, kHigh));
}

static const char *check(void) {
  for (int i = 0; i < kEvents; i++) {
    uint64_t count = 0;
    if (i == 0) continue;
    EXPECT_EQUAL(read(events[i], &count, 8), 8);
    if (count != (uint64_t)i) return bad("eventfd %d holds %ld", i, (long)count);
    EXPECT_EQUAL(write(events[i], &count, 8), 8);
  }
  for (int i = 0; i < kPipes; i++) {
    int got = -1;
    EXPECT_EQUAL(read(pipes[i][0], &got, sizeof got), sizeof got);
    EXPECT_EQUAL(got, i);
    EXPECT_EQUAL(write(pipes[i][1], &got, sizeof got), sizeof got);
  }
  uint64_t count = 0;
  EXPECT_EQUAL(read(high, &count, 8), 8);
  EXPECT_EQUAL(count, 7);
  EXPECT_EQUAL(read(events[7], &count, 8), -1);
  count = 7;
  EXPECT_EQUAL(write(events[7], &count, 8), 8);
  return NULL;
}
