/* Seccomp filters that the program installed itself: two on top of each other, inherited by a child. */
#include "victim.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
VICTIM(own_seccomp)

static struct helper child;

static void deny(int number, int error) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {4, filter};
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

static const char *denied(int number, int error) {
  EXPECT_EQUAL(syscall(number, 0, 0, 0), -1);
  EXPECT_EQUAL(errno, error);
  return NULL;
}
static const char *both(void) {
  const char *why = denied(SYS_getpriority, ENOTTY);
  return why ? why : denied(SYS_mremap, EXDEV);
}

static void setup(void) {
  deny(SYS_getpriority, EBADF);
  deny(SYS_getpriority, ENOTTY);  /* the later one wins when their answers weigh the same */
  deny(SYS_mmap + 1000, EPERM);
  deny(SYS_mremap, EXDEV);
  child = start_helper(NULL, both);
}

static const char *check(void) {
  const char *why = both();
  return why ? why : ask_helper(&child);
}
