/* memfd: contents with a hole, seals, position, name, mappings shared and private, access mode of a second open. */
#include "victim.h"
VICTIM(memfds)

static int fd, reader;
static char *shared, *private;
enum { kBytes = 40960 };

static void setup(void) {
  fd = MUST(memfd_create("a name (deleted)", MFD_ALLOW_SEALING));
  MUST(ftruncate(fd, 1 << 20));
  shared = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  paint(shared, kBytes, 1);
  private = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  paint(private + 4096, 4096, 2);
  MUST(pwrite(fd, "far", 3, (1 << 20) - 3));
  MUST(lseek(fd, 4321, SEEK_SET));
  MUST(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK));
  reader = MUST(open("/proc/self/fd/3", O_RDONLY));
}

static const char *check(void) {
  char text[4] = "";
  EXPECT_EQUAL(fcntl(fd, F_GET_SEALS), F_SEAL_GROW | F_SEAL_SHRINK);
  EXPECT_EQUAL(ftruncate(fd, 100), -1);
  EXPECT_EQUAL(lseek(fd, 0, SEEK_CUR), 4321);
  EXPECT(painted(shared, kBytes, 1));
  EXPECT(painted(private + 4096, 4096, 2));
  EXPECT(memcmp(private, shared, 4096) == 0);
  EXPECT_EQUAL(pread(fd, text, 3, (1 << 20) - 3), 3);
  EXPECT(strcmp(text, "far") == 0);
  shared[8192]++;
  EXPECT_EQUAL(pread(fd, text, 1, 8192), 1);
  EXPECT_EQUAL(text[0], shared[8192]);
  EXPECT_EQUAL(private[8192], shared[8192]);
  shared[8192]--;
  EXPECT_EQUAL(write(reader, "x", 1), -1);
  EXPECT_EQUAL(pread(reader, text, 3, (1 << 20) - 3), 3);
  char link[64] = "";
  EXPECT(readlink("/proc/self/fd/3", link, 63) > 0);
  EXPECT(strcmp(link, "/memfd:a name (deleted) (deleted)") == 0);
  return NULL;
}
