/* A seccomp filter of its own: refused by name. */
#include "victim.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
VICTIM(own_seccomp)

static int fd;

static void setup(void) {
  struct sock_filter all[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {1, all};
  MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
  fd = 0;
}

static const char *check(void) {
  EXPECT_EQUAL(prctl(PR_GET_SECCOMP), 2 + fd);
  return NULL;
}
