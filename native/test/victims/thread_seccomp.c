/* One thread has a seccomp filter that the others do not have. */
#include "victim.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <sys/prctl.h>
VICTIM(thread_seccomp)

static sem_t asked, told;
static _Atomic long answer;

static void *filtered(void *unused) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {4, filter};
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
  for (;;) {
    sem_post(&told);
    while (sem_wait(&asked) != 0) {
    }
    answer = syscall(SYS_getpgid, 0) == -1 ? errno : 0;
  }
  return unused;
}

static void setup(void) {
  pthread_t thread;
  sem_init(&asked, 0, 0);
  sem_init(&told, 0, 0);
  if (pthread_create(&thread, NULL, filtered, NULL)) exit(3);
  sem_wait(&told);
}

static const char *check(void) {
  EXPECT(syscall(SYS_getpgid, 0) >= 0);
  sem_post(&asked);
  while (sem_wait(&told) != 0) {
  }
  EXPECT_EQUAL(answer, ENOTTY);
  return NULL;
}
