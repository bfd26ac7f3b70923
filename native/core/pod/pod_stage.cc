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
#include <exception>
#include <thread>

#include "core/sys/sys.h"

namespace appshot {

namespace {

enum Step { kCgroupNs, kProc, kSys, kDescriptors, kExec };
constexpr const char* kStepNames[] = {"unshare its cgroup namespace", "mount its /proc", "mount its /sys", "arrange descriptors", "start its init"};

// As Docker has it: what an application has no business reading, and what it has none writing.
constexpr const char* kMaskedFiles[] = {"/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/sched_debug",
                                        "/proc/kmsg", "/proc/kallsyms", "/proc/kpagecount", "/proc/kpageflags", "/proc/kpagecgroup"};
constexpr const char* kMaskedDirectories[] = {"/proc/acpi", "/proc/asound", "/proc/scsi", "/proc/driver", "/sys/firmware",
                                              "/sys/kernel/debug", "/sys/kernel/tracing", "/sys/fs/cgroup"};
constexpr const char* kReadOnly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

[[noreturn]] void fail(const StagePlan& plan, Step step) {
  *plan.failure = {step, errno};
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

// In a mount namespace that is a copy of the host's.
void leaveHost(const std::string& at) {
  sys("make mounts private", [] { return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr); });
  sys("mount the stage", [&] { return ::mount("appshot", at.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=256k,mode=755"); });
  sys("enter the stage", [&] { return ::chdir(at.c_str()); });
  for (const char* name : {"host", "view", "proc", "sys", "empty"}) sys("make a directory of the stage", [&] { return ::mkdir(name, 0755); });
  UniqueFd nothing = sysFd("make a file of the stage", [] { return ::open("nothing", O_CREAT | O_WRONLY | O_CLOEXEC, 0); });
  sys("leave the host's root", [] { return static_cast<int>(::syscall(SYS_pivot_root, ".", "host")); });
  sys("enter the stage", [] { return ::chdir("/"); });
  sys("unmount the host's mounts", [] { return ::umount2("/host", MNT_DETACH); });
  nothing.reset();
  // All pods see the same files there.
  sys("make the stage read-only", [] { return ::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr); });
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
  int init = ::fcntl(plan.initFd, F_DUPFD_CLOEXEC, 16);
  if (exitsRead < 0 || exitsWrite < 0 || control < 0 || init < 0) fail(plan, kDescriptors);
  bool ok = ::dup3(exitsRead, 3, 0) == 3 && ::dup3(exitsWrite, 4, 0) == 4 && ::dup3(control, 5, 0) == 5 &&
            ::dup3(init, 6, O_CLOEXEC) == 6;
  if (!ok) fail(plan, kDescriptors);
  ::syscall(SYS_close_range, 0, 2, 0);
  ::syscall(SYS_close_range, 7, ~0u, 0);
  initFd = 6;
}

}  // namespace

const char* stageStepName(int step) { return step >= 0 && step <= kExec ? kStepNames[step] : "an unknown step"; }

UniqueFd makeBareNamespace(const std::string& at) {
  UniqueFd bare;
  std::exception_ptr failure;
  // A thread has a namespace of its own as a process does, and takes it along when it ends, but for what is open.
  std::thread([&] {
    try {
      sys("unshare mounts", [] { return ::unshare(CLONE_FS | CLONE_NEWNS); });
      bare = sysFd("open a mount namespace", [] { return ::open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC); });
      leaveHost(at);
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
  return bare;
}

void runStage(const StagePlan& plan) {
  if (::unshare(CLONE_NEWCGROUP) != 0) fail(plan, kCgroupNs);
  mountKernelViews(plan);
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, nullptr);
  // A SIGCHLD that was ignored would stay ignored across the exec, and the kernel would reap without telling.
  ::signal(SIGCHLD, SIG_DFL);
  int initFd = -1;
  arrangeDescriptors(plan, initFd);
  const char* argv[] = {"appshot-init", nullptr};
  const char* env[] = {nullptr};
  ::syscall(SYS_execveat, initFd, "", argv, env, AT_EMPTY_PATH);
  fail(plan, kExec);
}

}  // namespace appshot
