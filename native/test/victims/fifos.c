/* A named pipe, open for both at once, with data in it. */
#include "victim.h"
VICTIM(fifos)

static int reader, writer;

static void setup(void) {
  MUST(mkfifo("/tmp/fifo of mine", 0600));
  reader = MUST(open("/tmp/fifo of mine", O_RDONLY | O_NONBLOCK));
  writer = MUST(open("/tmp/fifo of mine", O_WRONLY));
  MUST(write(writer, "hello", 5));
}

static const char *check(void) {
  char text[16] = "";
  EXPECT_EQUAL(read(reader, text, 15), 5);
  EXPECT(strcmp(text, "hello") == 0);
  EXPECT_EQUAL(fcntl(reader, F_GETFL) & O_ACCMODE, O_RDONLY);
  EXPECT_EQUAL(fcntl(writer, F_GETFL) & O_ACCMODE, O_WRONLY);
  EXPECT_EQUAL(read(reader, text, 15), -1);
  EXPECT_EQUAL(write(writer, "hello", 5), 5);
  return NULL;
}
