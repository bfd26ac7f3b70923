/* MADV_DONTFORK and MADV_WIPEONFORK: the contents come back here, and a child still does not get them. */
#include "victim.h"
VICTIM(fork_advice)

static char *dontfork, *wipe;

static void setup(void) {
  dontfork = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  wipe = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(madvise(dontfork, 16384, MADV_DONTFORK));
  MUST(madvise(wipe, 16384, MADV_WIPEONFORK));
  paint(dontfork, 16384, 21);
  paint(wipe, 16384, 22);
}

static const char *check(void) {
  int status = 0;
  EXPECT(painted(dontfork, 16384, 21));
  /* A clone is told by zeros that it has to seed itself again. */
  if (!painted(wipe, 16384, 22)) {
    for (int i = 0; i < 16384; i++) EXPECT_EQUAL(wipe[i], 0);
    paint(wipe, 16384, 22);
  }
  pid_t child = fork();
  if (child == 0) {
    unsigned char there = 0;
    if (mincore(dontfork, 4096, &there) == 0 || errno != ENOMEM) _exit(1);
    for (int i = 0; i < 16384; i++) if (wipe[i]) _exit(2);
    _exit(0);
  }
  EXPECT_EQUAL(waitpid(child, &status, 0), child);
  EXPECT_EQUAL(WEXITSTATUS(status), 0);
  return NULL;
}
