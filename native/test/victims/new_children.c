/* What a woken program makes: threads, children, programs that it runs; with the ids, tables and signals that it then has. */
#include "victim.h"

#include <pthread.h>
#include <spawn.h>

VICTIM(new_children)

extern char **environ;
static __thread int own = 5;

static void *body(void *argument) {
  own += (int)(intptr_t)argument;
  return (void *)(intptr_t)own;
}

static void setup(void) {}

static const char *check(void) {
  pthread_t threads[8];
  for (intptr_t i = 0; i < 8; i++) EXPECT_EQUAL(pthread_create(&threads[i], NULL, body, (void *)i), 0);
  for (intptr_t i = 0; i < 8; i++) {
    void *result = NULL;
    EXPECT_EQUAL(pthread_join(threads[i], &result), 0);
    EXPECT_EQUAL((intptr_t)result, 5 + i);
  }
  int status = -1;
  pid_t child = fork();
  if (child == 0) _exit(getppid() > 1 ? 42 : 1);
  EXPECT(child > 0);
  EXPECT_EQUAL(waitpid(child, &status, 0), child);
  EXPECT_EQUAL(WEXITSTATUS(status), 42);
  char *const arguments[] = {"sh", "-c", "exit 43", NULL};
  EXPECT_EQUAL(posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ), 0);
  EXPECT_EQUAL(waitpid(child, &status, 0), child);
  EXPECT_EQUAL(WEXITSTATUS(status), 43);
  return NULL;
}
