/* What SEM_UNDO is to take back: a lock held by a child that ends later, one given ahead, and a list shared by threads. */
#include "victim.h"
#include <pthread.h>
#include <sys/sem.h>
VICTIM(semaphore_undo)

static int set;
static struct helper holder;

static int change(int number, int by, int flags) {
  struct sembuf operation = {(unsigned short)number, (short)by, (short)flags};
  return semop(set, &operation, 1);
}

static const char *hold(void) {
  if (change(0, -1, SEM_UNDO) || change(1, 3, SEM_UNDO) || change(2, -7, SEM_UNDO)) return "semop";
  return NULL;
}
static const char *end(void) { _exit(0); }

static void *in_thread(void *unused) {
  MUST(change(3, -2, SEM_UNDO));
  for (;;) pause();
  return unused;
}

static void begin(void) { holder = start_helper(hold, end); }

static void setup(void) {
  pthread_t thread;
  unsigned short values[5] = {1, 0, 100, 5, 32767};
  set = MUST(semget(IPC_PRIVATE, 5, 0600));
  MUST(semctl(set, 0, SETALL, values));
  begin();
  if (pthread_create(&thread, NULL, in_thread, NULL)) exit(3);
  while (semctl(set, 3, GETVAL) != 3) sleep_ms(1);
}

static const char *check(void) {
  static const int held[5] = {0, 3, 93, 3, 32767}, undone[5] = {1, 0, 100, 3, 32767};
  for (int i = 0; i < 5; i++)
    if (semctl(set, i, GETVAL) != held[i]) return bad("semaphore %d is %d, not %d", i, semctl(set, i, GETVAL), held[i]);
  EXPECT_EQUAL(write(holder.ask, "?", 1), 1);
  EXPECT_EQUAL(waitpid(holder.pid, NULL, 0), holder.pid);
  for (int i = 0; i < 5; i++)
    if (semctl(set, i, GETVAL) != undone[i]) return bad("semaphore %d is %d after its holder's end, not %d", i, semctl(set, i, GETVAL), undone[i]);
  close(holder.ask);
  close(holder.told);
  begin();
  return NULL;
}
