#include "core/launch/seccomp_filter.h"

#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <map>
#include <numeric>

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

bool isSame(const Code& a, const Code& b) { return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof a[0]) == 0; }

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
  for (auto at = std::next(from.begin()); at != from.end();) at = isSame(at->second, std::prev(at)->second) ? from.erase(at) : std::next(at);
  return from;
}

// A binary search, with what is done for several ranges of numbers there once: when a filter is installed, which each wake does, the kernel
// runs it for each number that there is, and its time for compiling it grows with its size.
class Search {
 public:
  explicit Search(const std::map<uint32_t, Code>& decisions) { branch(decisions.begin(), decisions.end()); }

  Code code() const {
    Code code;
    for (const Branch& branch : branches_) {
      size_t behind = code.size() + 1;
      code.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, branch.number, distance(behind, branch.above), distance(behind, branch.below)));
    }
    for (const Code& leaf : leaves_) code.insert(code.end(), leaf.begin(), leaf.end());
    return code;
  }

 private:
  using Decision = std::map<uint32_t, Code>::const_iterator;
  struct Target {
    bool isLeaf;
    size_t index;
  };
  struct Branch {
    uint32_t number;
    Target below, above;
  };

  Target branch(Decision first, Decision end) {
    auto count = std::distance(first, end);
    if (count == 1) return {true, leaf(first->second)};
    Decision middle = std::next(first, count / 2);
    size_t index = branches_.size();
    branches_.emplace_back();
    Target below = branch(first, middle), above = branch(middle, end);
    branches_[index] = {middle->first, below, above};
    return {false, index};
  }

  size_t leaf(const Code& code) {
    auto known = std::find_if(leaves_.begin(), leaves_.end(), [&](const Code& one) { return isSame(one, code); });
    if (known == leaves_.end()) known = leaves_.insert(known, code);
    return static_cast<size_t>(known - leaves_.begin());
  }

  uint8_t distance(size_t from, Target target) const {
    size_t to = target.index;
    if (target.isLeaf)
      to = std::accumulate(leaves_.begin(), leaves_.begin() + static_cast<std::ptrdiff_t>(target.index), branches_.size(), [](size_t sum, const Code& leaf) { return sum + leaf.size(); });
    // A jump goes over 255 instructions at most.
    if (to < from || to - from > UINT8_MAX) throw Error("internal", "the system call filter is too large");
    return static_cast<uint8_t>(to - from);
  }

  std::vector<Branch> branches_;  // each in front of those below it
  std::vector<Code> leaves_;
};

Code build(bool asyncIo) {
  Code code{load(offsetof(seccomp_data, arch)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
            answer(SECCOMP_RET_KILL_PROCESS), load(offsetof(seccomp_data, nr))};
  Code found = Search(decisions(asyncIo)).code();
  code.insert(code.end(), found.begin(), found.end());
  return code;
}

}  // namespace

const std::vector<sock_filter>& instanceFilter(bool asyncIo) {
  static const std::vector<sock_filter> usual = build(false), withAsyncIo = build(true);
  return asyncIo ? withAsyncIo : usual;
}

}  // namespace appshot
