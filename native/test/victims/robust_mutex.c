/* A robust mutex in shared memory: when its holder dies after the wake, the next one is told. */
#include "victim.h"
#include <pthread.h>
VICTIM(robust_mutex)

static pthread_mutex_t *mutex;
static pid_t holder;

static void hold(void) {
  int ends[2];
  MUST(pipe(ends));
  if ((holder = MUST(fork())) == 0) {
    pthread_mutex_lock(mutex);
    MUST(write(ends[1], "h", 1));
    for (;;) pause();
  }
  char byte;
  MUST(read(ends[0], &byte, 1));
  close(ends[0]);
  close(ends[1]);
}

static void setup(void) {
  pthread_mutexattr_t attributes;
  mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(mutex, &attributes);
  hold();
}

static const char *check(void) {
  EXPECT_EQUAL(pthread_mutex_trylock(mutex), EBUSY);
  EXPECT_EQUAL(kill(holder, SIGKILL), 0);
  EXPECT_EQUAL(waitpid(holder, NULL, 0), holder);
  EXPECT_EQUAL(pthread_mutex_lock(mutex), EOWNERDEAD);
  pthread_mutex_consistent(mutex);
  pthread_mutex_unlock(mutex);
  hold();
  return NULL;
}
