/* Eight threads read and change 64 MB at once while it is still being filled; system calls read missing pages too. */
#include "victim.h"
#include <pthread.h>
VICTIM(lazy_threads)

enum { kThreads = 8, kBytes = 8 << 20 };
static char *parts[kThreads];
static _Atomic int wrong;

static void setup(void) {
  for (unsigned i = 0; i < kThreads; i++) {
    parts[i] = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    paint(parts[i], kBytes, i);
  }
}

static void *work(void *argument) {
  unsigned i = (unsigned)(uintptr_t)argument;
  int fd = open("/dev/null", O_WRONLY);
  if (write(fd, parts[i], kBytes) != kBytes) wrong = 1;
  close(fd);
  int ends[2];
  char page[4096];
  if (pipe(ends)) wrong = 2;
  for (int at = kBytes - 4096; at >= 0; at -= 64 * 4096)
    if (write(ends[1], parts[i] + at, 4096) != 4096 || read(ends[0], page, 4096) != 4096 || memcmp(page, parts[i] + at, 4096)) wrong = 3;
  close(ends[0]);
  close(ends[1]);
  if (!painted(parts[(i + 3) % kThreads], kBytes, (i + 3) % kThreads)) wrong = 4;
  return NULL;
}

static const char *check(void) {
  pthread_t threads[kThreads];
  for (uintptr_t i = 0; i < kThreads; i++) EXPECT_EQUAL(pthread_create(&threads[i], NULL, work, (void *)i), 0);
  for (int i = 0; i < kThreads; i++) pthread_join(threads[i], NULL);
  EXPECT_EQUAL(wrong, 0);
  return NULL;
}
