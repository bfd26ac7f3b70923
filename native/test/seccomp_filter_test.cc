#include "core/launch/seccomp_filter.h"

#include <doctest/doctest.h>
#include <linux/audit.h>
#include <linux/filter.h>
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
#include <cstdint>
#include <cstring>
#include <set>

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

// What the kernel would do with a call, by running the filter.
uint32_t decide(const seccomp_data& call, bool asyncIo = false) {
  const auto& filter = instanceFilter(asyncIo);
  uint32_t loaded = 0;
  for (size_t at = 0; at < filter.size(); at++) {
    const sock_filter& step = filter[at];
    auto jump = [&](bool holds) { at += holds ? step.jt : step.jf; };
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS: std::memcpy(&loaded, reinterpret_cast<const char*>(&call) + step.k, sizeof loaded); break;
      case BPF_JMP | BPF_JEQ | BPF_K: jump(loaded == step.k); break;
      case BPF_JMP | BPF_JGE | BPF_K: jump(loaded >= step.k); break;
      case BPF_JMP | BPF_JSET | BPF_K: jump((loaded & step.k) != 0); break;
      case BPF_RET | BPF_K: return step.k;
      default: FAIL("a step that this test does not know");
    }
  }
  FAIL("the filter has no end");
  return 0;
}

uint32_t decide(int number, bool asyncIo = false) {
  seccomp_data call{};
  call.nr = number;
  call.arch = AUDIT_ARCH_X86_64;
  return decide(call, asyncIo);
}

}  // namespace

TEST_CASE("each number is decided on by itself") {
  const std::set<int> refused = {
      SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_move_mount, SYS_open_tree, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick,
      SYS_mount_setattr, SYS_quotactl, SYS_quotactl_fd, SYS_swapon, SYS_swapoff, SYS_setns, SYS_bpf, SYS_perf_event_open, SYS_kexec_load,
      SYS_kexec_file_load, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_create_module, SYS_get_kernel_syms, SYS_query_module,
      SYS_nfsservctl, SYS__sysctl, SYS_syslog, SYS_reboot, SYS_acct, SYS_iopl, SYS_ioperm, SYS_lookup_dcookie, SYS_vhangup, SYS_uselib, SYS_ustat,
      SYS_sysfs, SYS_userfaultfd, SYS_kcmp, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_open_by_handle_at, SYS_fanotify_init,
      SYS_settimeofday, SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex, SYS_mbind, SYS_set_mempolicy, SYS_migrate_pages, SYS_move_pages};
  const std::set<int> asyncIo = {SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_io_setup, SYS_io_destroy,
                                  SYS_io_submit, SYS_io_cancel, SYS_io_getevents, SYS_io_pgetevents};
  for (int number = 0; number < 2000; number++) {
    CAPTURE(number);
    bool isHidden = number == SYS_clone3 || asyncIo.count(number);
    uint32_t expected = isHidden ? SECCOMP_RET_ERRNO | ENOSYS : refused.count(number) ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_ALLOW;
    CHECK(decide(number) == expected);
    CHECK(decide(number, true) == (asyncIo.count(number) ? SECCOMP_RET_ALLOW : expected));
  }
  CHECK(decide(0x40000000) == SECCOMP_RET_KILL_PROCESS);
  CHECK(decide(-1) == SECCOMP_RET_KILL_PROCESS);
  seccomp_data foreign{};
  foreign.arch = AUDIT_ARCH_I386;
  CHECK(decide(foreign) == SECCOMP_RET_KILL_PROCESS);
}

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
