/* Watches of directories and files keep their numbers, tell of what happens after the wake, and of nothing that happened in it. */
#include "victim.h"
#include <sys/inotify.h>
#include <sys/ioctl.h>
VICTIM(inotify_watch)

static int set, directory, file;

static void setup(void) {
  MUST(mkdir("/tmp/watched", 0755));
  close(MUST(open("/tmp/watched/file", O_CREAT | O_RDWR, 0644)));
  set = MUST(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  char buffer[1024];
  for (int i = 0; i < 20; i++) {
    int thrown = MUST(inotify_add_watch(set, "/tmp", IN_CREATE));
    MUST(inotify_rm_watch(set, thrown));
  }
  directory = MUST(inotify_add_watch(set, "/tmp/watched", IN_CREATE | IN_DELETE));
  file = MUST(inotify_add_watch(set, "/tmp/watched/file", IN_MODIFY | IN_OPEN | IN_CLOSE_WRITE));
  MUST(read(set, buffer, sizeof buffer));
}

static const char *expect(int watch, uint32_t mask, size_t name) {
  char buffer[512] __attribute__((aligned(8)));
  ssize_t n = read(set, buffer, sizeof(struct inotify_event) + name);
  struct inotify_event *event = (struct inotify_event *)buffer;
  if (n < (ssize_t)sizeof *event) return bad("no event %x: errno %d", mask, errno);
  EXPECT_EQUAL(event->wd, watch);
  EXPECT_EQUAL(event->mask, mask);
  return NULL;
}

static const char *check(void) {
  const char *why;
  int waiting = -1;
  EXPECT_EQUAL(ioctl(set, FIONREAD, &waiting), 0);
  EXPECT_EQUAL(waiting, 0);
  int writer = open("/tmp/watched/file", O_WRONLY);
  EXPECT_EQUAL(write(writer, "x", 1), 1);
  close(writer);
  if ((why = expect(file, IN_OPEN, 0)) || (why = expect(file, IN_MODIFY, 0)) || (why = expect(file, IN_CLOSE_WRITE, 0))) return why;
  close(open("/tmp/watched/new", O_CREAT | O_RDWR, 0644));
  EXPECT_EQUAL(unlink("/tmp/watched/new"), 0);
  if ((why = expect(directory, IN_CREATE, 16)) || (why = expect(directory, IN_DELETE, 16))) return why;
  EXPECT_EQUAL(inotify_add_watch(set, "/tmp/watched", IN_CREATE | IN_DELETE), directory);
  return NULL;
}
