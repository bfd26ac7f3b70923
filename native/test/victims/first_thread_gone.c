/* The first thread has ended and another goes on: refused by name. */
#include "victim.h"
#include <pthread.h>
VICTIM(first_thread_gone)

static pid_t child;

static void *work(void *unused) {
  for (;;) pause();
  return unused;
}

static void setup(void) {
  child = MUST(fork());
  if (child == 0) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, NULL)) exit(3);
    pthread_exit(NULL);
  }
  char path[64], text[512];
  do {
    sleep_ms(1);
    snprintf(path, sizeof path, "/proc/%d/stat", child);
    int file = MUST(open(path, O_RDONLY));
    text[MUST(read(file, text, sizeof text - 1))] = '\0';
    close(file);
  } while (strstr(text, ") Z") == NULL);
}

static const char *check(void) {
  EXPECT_EQUAL(kill(child, 0), 0);
  EXPECT_EQUAL(waitpid(child, NULL, WNOHANG), 0);
  return NULL;
}
