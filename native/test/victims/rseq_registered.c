/* Restartable sequences: every thread is still registered (the kernel refuses another area) and its CPU number is kept up to date. */
#include "victim.h"
#include <pthread.h>
#include <sched.h>
#include <sys/rseq.h>
VICTIM(rseq_registered)

static pthread_barrier_t asked, told;
static const char *from_thread;

static const char *look(void) {
  struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
  if (__rseq_size == 0) return NULL;
  EXPECT_EQUAL(syscall(SYS_rseq, area, 32, 0, 0x1234567), -1);
  EXPECT(errno == EINVAL || errno == EPERM || errno == EBUSY);
  for (int i = 0; i < 100; i++)
    if ((int)*(volatile __u32 *)&area->cpu_id == sched_getcpu()) return NULL;
  return bad("rseq says CPU %d", (int)area->cpu_id);
}

static void *work(void *unused) {
  for (;;) {
    pthread_barrier_wait(&asked);
    from_thread = look();
    pthread_barrier_wait(&told);
  }
  return unused;
}

static void setup(void) {
  pthread_t thread;
  pthread_barrier_init(&asked, NULL, 2);
  pthread_barrier_init(&told, NULL, 2);
  if (pthread_create(&thread, NULL, work, NULL)) exit(3);
}

static const char *check(void) {
  pthread_barrier_wait(&asked);
  pthread_barrier_wait(&told);
  return from_thread ? from_thread : look();
}
