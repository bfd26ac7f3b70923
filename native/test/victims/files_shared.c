/* Positions and flags that duplicates and children share, O_APPEND, O_NONBLOCK, close-on-exec, access modes, directories. */
#include "victim.h"
VICTIM(files_shared)

static int file, twin, own, append, directory, high;
static struct helper child;

static const char *answer(void) {
  EXPECT_EQUAL(lseek(file, 0, SEEK_CUR), 5);
  EXPECT_EQUAL(lseek(file, 6, SEEK_SET), 6);
  return NULL;
}

static void setup(void) {
  file = MUST(open("/tmp/positions", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  MUST(write(file, "0123456789", 10));
  twin = MUST(dup(file));
  own = MUST(open("/tmp/positions", O_RDONLY));
  append = MUST(open("/tmp/append", O_WRONLY | O_CREAT | O_APPEND, 0600));
  directory = MUST(open("/tmp", O_RDONLY | O_DIRECTORY));
  high = MUST(fcntl(own, F_DUPFD, 700));
  MUST(lseek(file, 5, SEEK_SET));
  MUST(lseek(own, 2, SEEK_SET));
  MUST(write(append, "ab", 2));
  child = start_helper(NULL, answer);
}

static const char *check(void) {
  struct stat status;
  EXPECT_EQUAL(lseek(twin, 0, SEEK_CUR), 5);
  EXPECT_EQUAL(lseek(own, 0, SEEK_CUR), 2);
  EXPECT_EQUAL(high, 700);
  EXPECT_EQUAL(lseek(high, 0, SEEK_CUR), 2);
  const char *why = ask_helper(&child);
  if (why) return why;
  EXPECT_EQUAL(lseek(file, 0, SEEK_CUR), 6);
  EXPECT_EQUAL(lseek(file, 5, SEEK_SET), 5);
  EXPECT_EQUAL(fcntl(file, F_GETFD), FD_CLOEXEC);
  EXPECT_EQUAL(fcntl(twin, F_GETFD), 0);
  EXPECT_EQUAL(fcntl(append, F_GETFL) & (O_APPEND | O_ACCMODE), O_APPEND | O_WRONLY);
  EXPECT_EQUAL(fcntl(own, F_GETFL) & O_ACCMODE, O_RDONLY);
  EXPECT_EQUAL(fstat(append, &status), 0);
  long before = status.st_size;
  EXPECT_EQUAL(write(append, "c", 1), 1);
  EXPECT_EQUAL(fstat(append, &status), 0);
  EXPECT_EQUAL(status.st_size, before + 1);
  EXPECT_EQUAL(fstatat(directory, "positions", &status, 0), 0);
  EXPECT_EQUAL(status.st_size, 10);
  return NULL;
}
