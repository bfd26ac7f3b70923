/* Open files without a name: contents, position, read-only and append opens, and that they can grow. */
#include "victim.h"
VICTIM(deleted_files)

static int both, reader, nameless;

static void setup(void) {
  both = MUST(open("/tmp/deleted", O_RDWR | O_CREAT, 0640));
  MUST(write(both, "deleted contents", 16));
  MUST(lseek(both, 3, SEEK_SET));
  reader = MUST(open("/tmp/deleted", O_RDONLY));
  MUST(lseek(reader, 8, SEEK_SET));
  MUST(unlink("/tmp/deleted"));
  nameless = MUST(open("/tmp", O_TMPFILE | O_RDWR, 0600));
  MUST(write(nameless, "never had a name", 16));
}

static const char *check(void) {
  char text[32] = "";
  struct stat status;
  EXPECT_EQUAL(lseek(both, 0, SEEK_CUR), 3);
  EXPECT_EQUAL(pread(both, text, 31, 0), 16);
  EXPECT(strcmp(text, "deleted contents") == 0);
  EXPECT_EQUAL(lseek(reader, 0, SEEK_CUR), 8);
  EXPECT_EQUAL(write(reader, "x", 1), -1);
  EXPECT_EQUAL(pwrite(both, "D", 1, 0), 1);
  EXPECT_EQUAL(pread(reader, text, 1, 0), 1);
  EXPECT_EQUAL(text[0], 'D');
  EXPECT_EQUAL(pwrite(both, "d", 1, 0), 1);
  EXPECT_EQUAL(fstat(both, &status), 0);
  EXPECT_EQUAL(status.st_nlink, 0);
  EXPECT_EQUAL(status.st_mode & 0777, 0640);
  EXPECT_EQUAL(pread(nameless, text, 31, 0), 16);
  EXPECT(memcmp(text, "never had a name", 16) == 0);
  return NULL;
}
