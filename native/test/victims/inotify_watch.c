/* inotify: refused by name. */
#include "victim.h"
#include <sys/inotify.h>
VICTIM(inotify_watch)

static int fd;

static void setup(void) {
  fd = MUST(inotify_init1(IN_NONBLOCK));
  MUST(inotify_add_watch(fd, "/tmp", IN_CREATE));
}

static const char *check(void) {
  EXPECT(fd >= 0);
  return NULL;
}
