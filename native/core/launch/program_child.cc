#include "core/launch/program_child.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "core/launch/seccomp_filter.h"

namespace appshot {

namespace {

enum Step { kExec = kStepExec, kCwd = kStepCwd, kJoin, kSpaces, kTime, kFork, kSession, kStdio, kGroups, kGid, kUid, kBounding, kCapabilities, kNoNewPrivs, kSeccomp };
constexpr const char* kStepNames[] = {"",
                                      "run the command",
                                      "change to its directory",
                                      "join the pod's cgroup",
                                      "enter the pod's namespaces",
                                      "make its time namespace",
                                      "fork",
                                      "make its session",
                                      "open its standard files",
                                      "set its groups",
                                      "set its group",
                                      "set its user",
                                      "drop its capability bounding set",
                                      "drop its capabilities",
                                      "set no_new_privs",
                                      "install its system call filter"};

void report(const ChildPlan& plan, int step, int err) {
  StartReport message{step, err, ::getpid()};
  ::send(plan.reportFd, &message, sizeof message, MSG_NOSIGNAL);
}

[[noreturn]] void fail(const ChildPlan& plan, Step step) {
  report(plan, step, errno);
  ::_exit(127);
}

void joinCgroups(const ChildPlan& plan) {
  for (int i = 0; i < plan.cgroupProcsCount; ++i) {
    if (::write(plan.cgroupProcs[i], "0", 1) != 1) fail(plan, kJoin);
  }
}

void enterSpaces(const ChildPlan& plan) {
  if (::setns(plan.spaces, plan.spacesKinds) != 0) fail(plan, kSpaces);
  if (plan.ownTime && ::unshare(CLONE_NEWTIME) != 0) fail(plan, kTime);
}

void openStdio(const ChildPlan& plan) {
  if (plan.stdio != nullptr) {
    // Away from 0 to 2 first: a descriptor that was passed may be one of them.
    int moved[3];
    for (int i = 0; i < 3; ++i) {
      if ((moved[i] = ::fcntl(plan.stdio[i], F_DUPFD_CLOEXEC, 3)) < 0) fail(plan, kStdio);
    }
    for (int i = 0; i < 3; ++i) {
      if (::dup2(moved[i], i) != i) fail(plan, kStdio);
    }
    return;
  }
  int in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  int log = ::open("/run/appshot/log", O_WRONLY | O_APPEND | O_CLOEXEC);
  if (in < 0 || log < 0) fail(plan, kStdio);
  if (::dup2(in, 0) != 0 || ::dup2(log, 1) != 1 || ::dup2(log, 2) != 2) fail(plan, kStdio);
}

void setLimits() {
  rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  rlimit files;
  ::getrlimit(RLIMIT_NOFILE, &files);
  // select() knows descriptors below 1024 only; programs that need more raise the soft limit themselves.
  if (files.rlim_cur > 1024) files.rlim_cur = 1024;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

void resetSignals() {
  for (int signal = 1; signal < 65; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void dropPrivileges(const ChildPlan& plan) {
  // The raw calls: the C library's versions signal every thread of a process that this is a fork of.
  if (::syscall(SYS_setgroups, plan.groupsCount, plan.groups) != 0) fail(plan, kGroups);
  if (::syscall(SYS_setresgid, plan.gid, plan.gid, plan.gid) != 0) fail(plan, kGid);
  for (int capability = 0; capability < 64; ++capability) {
    // EINVAL: past the last one that this kernel knows.
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL) fail(plan, kBounding);
  }
  if (::syscall(SYS_setresuid, plan.uid, plan.uid, plan.uid) != 0) fail(plan, kUid);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct nothing[2]{};
  if (::syscall(SYS_capset, &header, nothing) != 0) fail(plan, kCapabilities);
}

void installFilter(const ChildPlan& plan) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail(plan, kNoNewPrivs);
  sock_fprog program{static_cast<unsigned short>(plan.filter->size()), const_cast<sock_filter*>(plan.filter->data())};
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) fail(plan, kSeccomp);
}

[[noreturn]] void runProgram(const ChildPlan& plan) {
  if (::setsid() < 0) fail(plan, kSession);
  openStdio(plan);
  setLimits();
  ::umask(022);
  resetSignals();
  ::syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
  dropPrivileges(plan);
  if (::chdir(plan.cwd) != 0) fail(plan, kCwd);
  installFilter(plan);
  report(plan, kAlive, 0);
  int err = ENOENT;
  for (const char* const* candidate = plan.candidates; *candidate != nullptr; ++candidate) {
    ::execve(*candidate, plan.argv, plan.env);
    // As a shell does it: a file that is there but cannot be run is the better message, and the search goes on.
    if (errno != ENOENT && errno != ENOTDIR) err = errno;
  }
  errno = err;
  fail(plan, kExec);
}

int exitCodeOf(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

int waitFor(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return status;
}

}  // namespace

const char* startStepName(int step) { return step > 0 && step <= kSeccomp ? kStepNames[step] : "an unknown step"; }

void runApplicationFork(const ChildPlan& plan) {
  joinCgroups(plan);
  enterSpaces(plan);
  pid_t between = ::fork();
  if (between < 0) fail(plan, kFork);
  if (between == 0) {
    // Its end makes the program a child of the pod's init.
    pid_t program = ::fork();
    if (program < 0) fail(plan, kFork);
    if (program == 0) runProgram(plan);
    ::_exit(0);
  }
  waitFor(between);
  ::_exit(0);
}

void runGuestFork(const ChildPlan& plan) {
  enterSpaces(plan);
  pid_t guest = ::fork();
  if (guest < 0) fail(plan, kFork);
  if (guest == 0) {
    joinCgroups(plan);
    runProgram(plan);
  }
  // It is a copy of the keeper: what it kept open would never be closed for those at the other end.
  ::syscall(SYS_close_range, 0, ~0u, 0);
  ::_exit(exitCodeOf(waitFor(guest)));
}

}  // namespace appshot
