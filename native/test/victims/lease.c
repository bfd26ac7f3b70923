/* Leases on files, to read and to write, are still held. */
#include "victim.h"
VICTIM(lease)

static int writer, reader;

static void setup(void) {
  writer = MUST(open("/tmp/leased", O_CREAT | O_RDWR, 0600));
  close(MUST(open("/tmp/leased to read", O_CREAT | O_RDWR, 0600)));
  reader = MUST(open("/tmp/leased to read", O_RDONLY));
  MUST(fcntl(writer, F_SETLEASE, F_WRLCK));
  MUST(fcntl(reader, F_SETLEASE, F_RDLCK));
}

static const char *check(void) {
  EXPECT_EQUAL(fcntl(writer, F_GETLEASE), F_WRLCK);
  EXPECT_EQUAL(fcntl(reader, F_GETLEASE), F_RDLCK);
  return NULL;
}
