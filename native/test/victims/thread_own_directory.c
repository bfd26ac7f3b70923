/* A thread with a working directory of its own: refused. */
#include "victim.h"

#include <pthread.h>
#include <sched.h>

VICTIM(thread_own_directory)

static volatile int there;

static void *body(void *nothing) {
  (void)nothing;
  MUST(unshare(CLONE_FS));
  MUST(chdir("/tmp"));
  there = 1;
  for (;;) pause();
}

static void setup(void) {
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, body, NULL));
  while (!there) sleep_ms(1);
}

static const char *check(void) {
  char directory[256];
  EXPECT(getcwd(directory, sizeof directory));
  EXPECT(strcmp(directory, "/tmp") != 0);
  return NULL;
}
