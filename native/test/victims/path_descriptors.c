/* Descriptors of all that has a path: a symbolic link itself, a mere path, a directory half read, devices, a file that is appended to. */
#include "victim.h"

#include <dirent.h>

VICTIM(path_descriptors)

enum { kFiles = 40 };
static int mere, link_itself, nothing, appended;
static DIR *directory;
static int seen;

static void setup(void) {
  char name[64];
  MUST(mkdir("/tmp/many", 0755));
  for (int i = 0; i < kFiles; i++) {
    snprintf(name, sizeof name, "/tmp/many/%d", i);
    close(MUST(open(name, O_CREAT | O_WRONLY, 0600)));
  }
  MUST(symlink("/tmp/many/0", "/tmp/link"));
  mere = MUST(open("/tmp/many/7", O_PATH));
  link_itself = MUST(open("/tmp/link", O_PATH | O_NOFOLLOW));
  nothing = MUST(open("/dev/null", O_WRONLY));
  appended = MUST(open("/tmp/many/1", O_WRONLY | O_APPEND));
  directory = opendir("/tmp/many");
  if (!directory || !readdir(directory)) exit(3);
  MUST(lseek(dirfd(directory), 0, SEEK_CUR));
}

static const char *check(void) {
  char text[128] = "";
  struct stat status;
  EXPECT_EQUAL(read(mere, text, 1), -1);
  EXPECT_EQUAL(errno, EBADF);
  EXPECT_EQUAL(fstat(mere, &status), 0);
  EXPECT(S_ISREG(status.st_mode));
  EXPECT_EQUAL(fstat(link_itself, &status), 0);
  EXPECT(S_ISLNK(status.st_mode));
  EXPECT_EQUAL(readlinkat(link_itself, "", text, sizeof text - 1), 11);
  EXPECT(strcmp(text, "/tmp/many/0") == 0);
  EXPECT_EQUAL(write(nothing, "x", 1), 1);
  EXPECT_EQUAL(pwrite(appended, "x", 1, 0), 1);
  EXPECT_EQUAL(fstat(appended, &status), 0);
  EXPECT_EQUAL(status.st_size, ++seen);
  rewinddir(directory);
  int entries = 0;
  while (readdir(directory)) entries++;
  EXPECT_EQUAL(entries, kFiles + 2);
  return NULL;
}
