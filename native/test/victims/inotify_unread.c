/* Events that nobody has read yet can be read only once: refused by name. */
#include "victim.h"
#include <sys/inotify.h>
VICTIM(inotify_unread)

static int set;

static void setup(void) {
  set = MUST(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  MUST(inotify_add_watch(set, "/tmp", IN_CREATE));
  close(MUST(open("/tmp/unread", O_CREAT | O_RDWR, 0644)));
}

static const char *check(void) {
  EXPECT(fcntl(set, F_GETFD) >= 0);
  return NULL;
}
