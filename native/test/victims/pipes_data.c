/* Pipes with data in them: full, a resized one, one whose writer is gone, and their flags. */
#include "victim.h"
VICTIM(pipes_data)

static int full[2], sized[2], ended[2], tiny[2];
static char pattern[200000];

static void setup(void) {
  paint(pattern, sizeof pattern, 5);
  MUST(pipe2(full, O_NONBLOCK));
  MUST(pipe2(sized, O_NONBLOCK));
  MUST(pipe(ended));
  MUST(pipe(tiny));
  if (MUST(write(full[1], pattern, sizeof pattern)) != 65536) exit(3);
  MUST(fcntl(sized[1], F_SETPIPE_SZ, 131072));
  MUST(write(sized[1], pattern, 100000));
  MUST(write(ended[1], "the end", 7));
  MUST(close(ended[1]));
}

static const char *check(void) {
  static char got[200000];
  EXPECT_EQUAL(write(full[1], "x", 1), -1);
  EXPECT_EQUAL(read(full[0], got, sizeof got), 65536);
  EXPECT(memcmp(got, pattern, 65536) == 0);
  EXPECT_EQUAL(read(full[0], got, 1), -1);
  EXPECT_EQUAL(write(full[1], pattern, 65536), 65536);
  EXPECT_EQUAL(fcntl(sized[0], F_GETPIPE_SZ), 131072);
  EXPECT_EQUAL(read(sized[0], got, sizeof got), 100000);
  EXPECT(memcmp(got, pattern, 100000) == 0);
  EXPECT_EQUAL(write(sized[1], pattern, 100000), 100000);
  EXPECT_EQUAL(fcntl(tiny[0], F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQUAL(write(tiny[1], "ab", 2), 2);
  EXPECT_EQUAL(read(tiny[0], got, 10), 2);
  static int first = 1;
  if (first) EXPECT_EQUAL(read(ended[0], got, 100), 7);
  first = 0;
  EXPECT_EQUAL(read(ended[0], got, 100), 0);
  return NULL;
}
