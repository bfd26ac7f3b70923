#include "core/launch/program_start.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <sstream>

#include "core/launch/program_child.h"
#include "core/launch/seccomp_filter.h"
#include "core/pod/pod_maker.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

std::string searchPath(const Program& program) {
  for (const auto& entry : program.env) {
    if (entry.rfind("PATH=", 0) == 0) return entry.substr(5);
  }
  return "";
}

std::vector<std::string> candidatesOf(const Program& program) {
  const std::string& command = program.command.at(0);
  if (command.find('/') != std::string::npos) return {command};
  std::vector<std::string> candidates;
  std::istringstream path(searchPath(program));
  for (std::string directory; std::getline(path, directory, ':');) candidates.push_back((directory.empty() ? "." : directory) + "/" + command);
  return candidates;
}

std::vector<const char*> pointersTo(const std::vector<std::string>& texts) {
  std::vector<const char*> pointers;
  for (const auto& text : texts) pointers.push_back(text.c_str());
  pointers.push_back(nullptr);
  return pointers;
}

// The pair over which the program's start is reported. Credentials tell the host pid of a process that knows only its own.
struct ReportPair {
  UniqueFd ours, theirs;
  ReportPair() {
    int pair[2];
    sys("make report socket", [&] { return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair); });
    ours = UniqueFd(pair[0]);
    theirs = UniqueFd(pair[1]);
    int on = 1;
    sys("set SO_PASSCRED", [&] { return ::setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on); });
  }
};

// False at the end of the file.
bool receive(int fd, StartReport& report, pid_t& sender) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))];
  iovec part{&report, sizeof report};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t n = sys("start program", [&] { return ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC); });
  if (n != sizeof report) return false;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_CREDENTIALS) continue;
    ucred credentials;
    std::memcpy(&credentials, CMSG_DATA(header), sizeof credentials);
    sender = credentials.pid;
  }
  return true;
}

[[noreturn]] void throwStartFailure(const Program& program, const StartReport& failure) {
  const std::string& command = program.command[0];
  if (failure.step == kStepExec) {
    bool byPath = command.find('/') != std::string::npos;
    std::string where = byPath ? "" : "; searched " + searchPath(program);
    throw Error("command-not-found", "command '" + command + "' cannot be run: " + std::strerror(failure.err) + where, failure.err);
  }
  if (failure.step == kStepCwd) {
    throw Error("bad-request", "the application's directory " + program.cwd + " cannot be entered: " + std::strerror(failure.err), failure.err);
  }
  throwErrno(std::string("start program: ") + startStepName(failure.step), failure.err);
}

Started awaitStart(const Program& program, int reportFd) {
  Started started;
  StartReport report{};
  pid_t sender = -1;
  while (receive(reportFd, report, sender)) {
    if (report.step != kAlive) throwStartFailure(program, report);
    started = {sender, report.vpid};
  }
  if (started.pid < 0) throw Error("internal", "start program: it ended before it ran");
  return started;
}

// Holds what a ChildPlan points to.
class PreparedPlan {
 public:
  PreparedPlan(const Program& program, const Pod& pod)
      : argv_(pointersTo(program.command)), env_(pointersTo(program.env)), candidates_(candidatesOf(program)),
        candidatePointers_(pointersTo(candidates_)) {
    plan.filter = &instanceFilter(program.asyncIo);  // built here, before the fork
    if (pod.cgroup.valid()) {
      v2Procs_ = sysFd("open cgroup.procs", [&] { return ::openat(pod.cgroup.get(), "cgroup.procs", O_WRONLY | O_CLOEXEC); });
      procs_.push_back(v2Procs_.get());
    }
    v1Procs_ = pod.groups.openV1Procs();
    for (const auto& fd : v1Procs_) procs_.push_back(fd.get());
    plan.argv = const_cast<char* const*>(argv_.data());
    plan.env = const_cast<char* const*>(env_.data());
    plan.candidates = candidatePointers_.data();
    plan.cwd = program.cwd.c_str();
    plan.uid = program.uid;
    plan.gid = program.gid;
    plan.groups = program.groups.data();
    plan.groupsCount = program.groups.size();
    plan.cgroupProcs = procs_.data();
    plan.cgroupProcsCount = static_cast<int>(procs_.size());
  }

  ChildPlan plan{};

 private:
  std::vector<const char*> argv_, env_;
  std::vector<std::string> candidates_;
  std::vector<const char*> candidatePointers_;
  UniqueFd v2Procs_;
  std::vector<UniqueFd> v1Procs_;
  std::vector<int> procs_;
};

constexpr int kPodSpaces = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWNS;

UniqueFd pidfdOf(pid_t pid) {
  return sysFd("open pidfd", [&] { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); });
}

}  // namespace

Started startApplication(const Program& program, const Pod& pod) {
  PreparedPlan prepared(program, pod);
  ReportPair report;
  prepared.plan.spaces = pod.initPidfd.get();
  prepared.plan.spacesKinds = kPodSpaces;
  prepared.plan.ownTime = true;
  prepared.plan.reportFd = report.theirs.get();
  pid_t helper = sys("fork", [] { return ::fork(); });
  if (helper == 0) runApplicationFork(prepared.plan);
  UniqueFd helperPidfd = pidfdOf(helper);
  report.theirs.reset();
  struct Reap {
    int pidfd;
    ~Reap() { awaitEnd(pidfd); }
  } reap{helperPidfd.get()};
  return awaitStart(program, report.ours.get());
}

Guest startGuest(const Program& program, const Pod& pod, int likePidfd, const int stdio[3]) {
  PreparedPlan prepared(program, pod);
  ReportPair report;
  prepared.plan.spaces = likePidfd;
  prepared.plan.spacesKinds = kPodSpaces | CLONE_NEWTIME;
  prepared.plan.stdio = stdio;
  prepared.plan.reportFd = report.theirs.get();
  Guest guest;
  guest.waiter = sys("fork", [] { return ::fork(); });
  if (guest.waiter == 0) runGuestFork(prepared.plan);
  guest.waiterPidfd = pidfdOf(guest.waiter);
  report.theirs.reset();
  try {
    guest.started = awaitStart(program, report.ours.get());
  } catch (...) {
    awaitEnd(guest.waiterPidfd.get());
    throw;
  }
  return guest;
}

}  // namespace appshot
