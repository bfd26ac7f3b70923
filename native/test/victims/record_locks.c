/* Record locks (fcntl). */
#include "victim.h"
VICTIM(record_locks)

static int fd;

static void setup(void) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5};
  fd = MUST(open("/tmp/records", O_RDWR | O_CREAT, 0600));
  MUST(fcntl(fd, F_SETLK, &lock));
}

static const char *check(void) {
  int status = 0;
  pid_t child = fork();
  if (child == 0) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 12, .l_len = 1};
    _exit(fcntl(fd, F_SETLK, &lock) == -1 && errno == EAGAIN ? 0 : 1);
  }
  EXPECT_EQUAL(waitpid(child, &status, 0), child);
  EXPECT_EQUAL(WEXITSTATUS(status), 0);
  return NULL;
}
