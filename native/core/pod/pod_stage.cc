#include "core/pod/pod_stage.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace appshot {

namespace {

enum Step { kCgroupNs, kPrivate, kTmpfs, kDirectories, kPivot, kDetach, kProc, kSys, kDescriptors, kExec };
constexpr const char* kStepNames[] = {
    "unshare its cgroup namespace", "make its mounts private", "mount its stage", "make directories",
    "leave the host's root", "unmount the host's mounts", "mount its /proc", "mount its /sys", "arrange descriptors", "start its init"};

// As Docker has it: what an application has no business reading, and what it has none writing.
constexpr const char* kMaskedFiles[] = {"/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug",
                                        "/proc/kmsg", "/proc/kallsyms", "/proc/kpagecount", "/proc/kpageflags", "/proc/kpagecgroup"};
constexpr const char* kMaskedDirectories[] = {"/proc/acpi", "/proc/asound", "/proc/scsi", "/proc/driver", "/sys/firmware",
                                              "/sys/kernel/debug", "/sys/kernel/tracing", "/sys/fs/cgroup"};
constexpr const char* kReadOnly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

[[noreturn]] void fail(const StagePlan& plan, Step step) {
  StageFailure failure{step, errno};
  [[maybe_unused]] ssize_t n = ::write(plan.reportFd, &failure, sizeof failure);
  ::_exit(1);
}

// A path that this kernel does not have needs no mask.
bool bindOver(const char* from, const char* at) {
  return ::mount(from, at, nullptr, MS_BIND, nullptr) == 0 || errno == ENOENT || errno == ENOTDIR;
}

bool makeReadOnly(const char* at) {
  if (!bindOver(at, at)) return false;
  constexpr unsigned long flags = MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  return ::mount(nullptr, at, nullptr, flags, nullptr) == 0 || errno == ENOENT || errno == EINVAL;
}

void leaveHost(const StagePlan& plan) {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) fail(plan, kPrivate);
  if (::mount("appshot", plan.stage, "tmpfs", MS_NOSUID | MS_NODEV, "size=256k,mode=755") != 0) fail(plan, kTmpfs);
  if (::chdir(plan.stage) != 0) fail(plan, kDirectories);
  for (const char* name : {"host", "view", "proc", "sys", "empty"}) {
    if (::mkdir(name, 0755) != 0) fail(plan, kDirectories);
  }
  int file = ::open("nothing", O_CREAT | O_WRONLY | O_CLOEXEC, 0);
  if (file < 0) fail(plan, kDirectories);
  ::close(file);
  if (::syscall(SYS_pivot_root, ".", "host") != 0 || ::chdir("/") != 0) fail(plan, kPivot);
  if (::umount2("/host", MNT_DETACH) != 0) fail(plan, kDetach);
}

void mountKernelViews(const StagePlan& plan) {
  constexpr unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  if (::mount("proc", "/proc", "proc", flags, nullptr) != 0) fail(plan, kProc);
  // sysfs shows the network namespace of whoever mounts it.
  if (::mount("sysfs", "/sys", "sysfs", flags | MS_RDONLY, nullptr) != 0) fail(plan, kSys);
  for (const char* path : kReadOnly) {
    if (!makeReadOnly(path)) fail(plan, kProc);
  }
  for (const char* path : kMaskedFiles) {
    if (!bindOver("/nothing", path)) fail(plan, kProc);
  }
  for (const char* path : kMaskedDirectories) {
    if (!bindOver("/empty", path)) fail(plan, kSys);
  }
}

// The init's descriptors: 3 and 4 are its pipe, 5 its socket; its executable closes itself; nothing else of the host's.
void arrangeDescriptors(const StagePlan& plan, int& initFd) {
  int exitsRead = ::fcntl(plan.exitsRead, F_DUPFD, 16);
  int exitsWrite = ::fcntl(plan.exitsWrite, F_DUPFD, 16);
  int control = ::fcntl(plan.control, F_DUPFD, 16);
  int report = ::fcntl(plan.reportFd, F_DUPFD_CLOEXEC, 16);
  int init = ::fcntl(plan.initFd, F_DUPFD_CLOEXEC, 16);
  if (exitsRead < 0 || exitsWrite < 0 || control < 0 || report < 0 || init < 0) fail(plan, kDescriptors);
  bool ok = ::dup3(exitsRead, 3, 0) == 3 && ::dup3(exitsWrite, 4, 0) == 4 && ::dup3(control, 5, 0) == 5 &&
            ::dup3(report, 6, O_CLOEXEC) == 6 && ::dup3(init, 7, O_CLOEXEC) == 7;
  if (!ok) fail(plan, kDescriptors);
  ::syscall(SYS_close_range, 0, 2, 0);
  ::syscall(SYS_close_range, 8, ~0u, 0);
  initFd = 7;
}

}  // namespace

const char* stageStepName(int step) { return step >= 0 && step <= kExec ? kStepNames[step] : "an unknown step"; }

void runStage(const StagePlan& plan) {
  if (::unshare(CLONE_NEWCGROUP) != 0) fail(plan, kCgroupNs);
  leaveHost(plan);
  mountKernelViews(plan);
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, nullptr);
  // A SIGCHLD that was ignored would stay ignored across the exec, and the kernel would reap without telling.
  ::signal(SIGCHLD, SIG_DFL);
  int initFd = -1;
  arrangeDescriptors(plan, initFd);
  StagePlan moved = plan;
  moved.reportFd = 6;
  const char* argv[] = {"appshot-init", nullptr};
  const char* env[] = {nullptr};
  ::syscall(SYS_execveat, initFd, "", argv, env, AT_EMPTY_PATH);
  fail(moved, kExec);
}

}  // namespace appshot
