#include "core/launch/seccomp_filter.h"

#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <map>

#include "core/sys/error.h"

namespace appshot {

namespace {

constexpr uint32_t kX32Bit = 0x40000000;
constexpr uint32_t kNamespaceFlags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                                     CLONE_NEWCGROUP | CLONE_NEWTIME;

constexpr int kDenied[] = {
    // mounts
    __NR_mount, __NR_umount2, __NR_pivot_root, __NR_chroot, __NR_move_mount, __NR_open_tree, __NR_fsopen, __NR_fsconfig,
    __NR_fsmount, __NR_fspick, __NR_mount_setattr, __NR_quotactl, __NR_quotactl_fd, __NR_swapon, __NR_swapoff,
    // namespaces (unshare and clone are looked at more closely below)
    __NR_setns,
    // the kernel itself
    __NR_bpf, __NR_perf_event_open, __NR_kexec_load, __NR_kexec_file_load, __NR_init_module, __NR_finit_module,
    __NR_delete_module, __NR_create_module, __NR_get_kernel_syms, __NR_query_module, __NR_nfsservctl, __NR__sysctl, __NR_syslog,
    __NR_reboot, __NR_acct, __NR_iopl, __NR_ioperm, __NR_lookup_dcookie, __NR_vhangup, __NR_uselib, __NR_ustat, __NR_sysfs,
    __NR_userfaultfd, __NR_kcmp,
    // keys are not namespaced
    __NR_keyctl, __NR_add_key, __NR_request_key,
    // files by handle get around hidden places
    __NR_open_by_handle_at, __NR_fanotify_init,
    // the machine's clock
    __NR_settimeofday, __NR_clock_settime, __NR_clock_adjtime, __NR_adjtimex,
    // memory placement is the node's
    __NR_mbind, __NR_set_mempolicy, __NR_migrate_pages, __NR_move_pages,
};

// Kernels may be built without either, so programs ask first.
constexpr int kAsyncIo[] = {__NR_io_uring_setup, __NR_io_uring_enter, __NR_io_uring_register,
                            __NR_io_setup, __NR_io_destroy, __NR_io_submit, __NR_io_cancel, __NR_io_getevents, __NR_io_pgetevents};

constexpr sock_filter load(size_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset)); }
constexpr sock_filter answer(uint32_t action) { return BPF_STMT(BPF_RET | BPF_K, action); }
constexpr sock_filter skipUnless(uint16_t test, uint32_t value, uint8_t skip) {
  return BPF_JUMP(static_cast<uint16_t>(BPF_JMP | test | BPF_K), value, 0, skip);
}
constexpr uint32_t kRefuse = SECCOMP_RET_ERRNO | EPERM;
// Arguments are 64 bits wide, little-endian; what is compared here is in the lower half.
constexpr size_t argument(int index) { return offsetof(seccomp_data, args) + 8 * static_cast<size_t>(index); }

using Code = std::vector<sock_filter>;

// EPERM when one of `values` is what `test` asks of the argument.
Code refuseWhen(int index, uint16_t test, std::initializer_list<uint32_t> values) {
  Code code{load(argument(index))};
  for (uint32_t value : values) {
    code.push_back(skipUnless(test, value, 1));
    code.push_back(answer(kRefuse));
  }
  code.push_back(answer(SECCOMP_RET_ALLOW));
  return code;
}

// What is done with each number, from one on up to the next that stands here.
std::map<uint32_t, Code> decisions(bool asyncIo) {
  std::map<uint32_t, Code> special;
  for (int number : kDenied) special[static_cast<uint32_t>(number)] = {answer(kRefuse)};
  special[__NR_clone3] = {answer(SECCOMP_RET_ERRNO | ENOSYS)};
  if (!asyncIo)
    for (int number : kAsyncIo) special[static_cast<uint32_t>(number)] = {answer(SECCOMP_RET_ERRNO | ENOSYS)};
  special[__NR_clone] = special[__NR_unshare] = refuseWhen(0, BPF_JSET, {kNamespaceFlags});
  // Characters put into somebody's terminal.
  special[__NR_ioctl] = refuseWhen(1, BPF_JEQ, {TIOCSTI, TIOCLINUX});
  std::map<uint32_t, Code> from = special;
  from[0].push_back(answer(SECCOMP_RET_ALLOW));
  for (const auto& [number, code] : special) from.try_emplace(number + 1, Code{answer(SECCOMP_RET_ALLOW)});
  from[kX32Bit] = {answer(SECCOMP_RET_KILL_PROCESS)};
  return from;
}

using Decision = std::map<uint32_t, Code>::const_iterator;

// A binary search: when a filter is installed, the kernel runs it for each number that there is.
Code search(Decision first, Decision end) {
  auto count = std::distance(first, end);
  if (count == 1) return first->second;
  Decision middle = std::next(first, count / 2);
  Code below = search(first, middle), above = search(middle, end);
  // A jump goes over 255 instructions at most: the lower half is the nearer one, and has to fit.
  if (below.size() > UINT8_MAX) throw Error("internal", "the system call filter is too large");
  Code code{BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, middle->first, static_cast<uint8_t>(below.size()), 0)};
  code.insert(code.end(), below.begin(), below.end());
  code.insert(code.end(), above.begin(), above.end());
  return code;
}

Code build(bool asyncIo) {
  Code code{load(offsetof(seccomp_data, arch)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
            answer(SECCOMP_RET_KILL_PROCESS), load(offsetof(seccomp_data, nr))};
  std::map<uint32_t, Code> all = decisions(asyncIo);
  Code found = search(all.begin(), all.end());
  code.insert(code.end(), found.begin(), found.end());
  return code;
}

}  // namespace

const std::vector<sock_filter>& instanceFilter(bool asyncIo) {
  static const std::vector<sock_filter> usual = build(false), withAsyncIo = build(true);
  return asyncIo ? withAsyncIo : usual;
}

}  // namespace appshot
