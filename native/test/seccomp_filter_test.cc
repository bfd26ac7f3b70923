#include "core/launch/seccomp_filter.h"

#include <doctest/doctest.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

using namespace appshot;

namespace {

// The errno of a system call under the filter, 0 when it worked, -signal when it killed.
template <typename Call>
int under(Call call) {
  const auto& filter = instanceFilter();
  sock_fprog program{static_cast<unsigned short>(filter.size()), const_cast<sock_filter*>(filter.data())};
  pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) ::_exit(255);
    ::_exit(call() < 0 ? errno : 0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("calls that leave the instance are refused, ordinary ones are not") {
  CHECK(under([] { return ::syscall(SYS_mount, nullptr, "/", nullptr, 0, nullptr); }) == EPERM);
  CHECK(under([] { return ::syscall(SYS_setns, -1, 0); }) == EPERM);
  CHECK(under([] { return ::syscall(SYS_bpf, 0, nullptr, 0); }) == EPERM);
  CHECK(under([] { return ::syscall(SYS_unshare, CLONE_NEWUSER); }) == EPERM);
  CHECK(under([] { return ::syscall(SYS_unshare, CLONE_FILES); }) == 0);
  CHECK(under([] { return ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0); }) == EPERM);
  CHECK(under([] { return ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }) == 0);
  CHECK(under([] { return ::syscall(SYS_clone3, nullptr, 0); }) == ENOSYS);
  CHECK(under([] { return ::ioctl(0, TIOCSTI, "x"); }) == EPERM);
  CHECK(under([] { return ::syscall(SYS_getpid); }) == 0);
}

TEST_CASE("calls of another ABI kill the process") {
  constexpr long kX32 = 0x40000000;
  CHECK(under([] { return ::syscall(kX32 | SYS_getpid); }) == -SIGSYS);
}
