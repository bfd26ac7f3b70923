/* A working directory and an open directory that were deleted. */
#include "victim.h"
VICTIM(deleted_directories)

static int directory;

static void setup(void) {
  MUST(mkdir("/tmp/left", 0755));
  MUST(mkdir("/tmp/left/deeper", 0755));
  MUST(mkdir("/tmp/opened", 0700));
  directory = MUST(open("/tmp/opened", O_RDONLY | O_DIRECTORY));
  MUST(chdir("/tmp/left/deeper"));
  MUST(rmdir("/tmp/left/deeper"));
  MUST(rmdir("/tmp/left"));
  MUST(rmdir("/tmp/opened"));
}

static const char *check(void) {
  char text[128];
  struct stat status;
  EXPECT(getcwd(text, sizeof text) == NULL);
  EXPECT_EQUAL(errno, ENOENT);
  EXPECT_EQUAL(open("file", O_CREAT | O_RDWR, 0600), -1);
  EXPECT_EQUAL(fstat(directory, &status), 0);
  EXPECT(S_ISDIR(status.st_mode));
  EXPECT_EQUAL(status.st_mode & 0777, 0700);
  EXPECT_EQUAL(access("/tmp/opened", F_OK), -1);
  return NULL;
}
