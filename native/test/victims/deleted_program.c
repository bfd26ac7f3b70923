/* A program whose own file has been deleted, as an update does: a child runs a copy that is gone. */
#include "victim.h"

#include <sys/sendfile.h>

VICTIM(deleted_program)

static pid_t child;
static int alive[2];

static int is_deleted(pid_t pid) {
  char path[64], link[256] = "";
  snprintf(path, sizeof path, "/proc/%d/exe", pid);
  if (readlink(path, link, sizeof link - 1) < 0) return 0;
  return strstr(link, " (deleted)") != NULL;
}

static void setup(void) {
  struct stat status;
  int from = MUST(open("/bin/cat", O_RDONLY)), to = MUST(open("/tmp/copy", O_WRONLY | O_CREAT, 0755)), back[2];
  MUST(fstat(from, &status));
  for (off_t left = status.st_size; left > 0;) left -= MUST(sendfile(to, from, NULL, (size_t)left));
  close(from);
  close(to);
  MUST(pipe(alive));
  MUST(pipe(back));
  child = MUST(fork());
  if (child == 0) {
    dup2(alive[0], 0);
    dup2(back[1], 1);
    close(alive[1]);
    close(back[0]);
    execl("/tmp/copy", "copy", NULL);
    _exit(9);
  }
  close(alive[0]);
  close(back[1]);
  alive[0] = back[0];
  char byte;
  MUST(write(alive[1], "x", 1));
  MUST(read(alive[0], &byte, 1));
  MUST(unlink("/tmp/copy"));
}

static const char *check(void) {
  char byte = 0;
  EXPECT(is_deleted(child));
  EXPECT_EQUAL(write(alive[1], "y", 1), 1);
  EXPECT_EQUAL(read(alive[0], &byte, 1), 1);
  EXPECT_EQUAL(byte, 'y');
  EXPECT_EQUAL(access("/tmp/copy", F_OK), -1);
  return NULL;
}
