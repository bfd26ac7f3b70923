#include "core/pod/pod_maker.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/pod/owner.h"
#include "core/pod/pod_stage.h"
#include "core/pod/thread_namespace.h"
#include "core/sys/sys.h"
#include "restorer/sys.h"

namespace appshot {

namespace {

// linux/memfd.h; old headers lack it.
constexpr unsigned kMfdExec = 0x10;

// Makes the pod's first process, and waits until it is the init or has ended. As with vfork, it runs on a stack of its own in this
// process's memory: copying the memory of a keeper with hundreds of instances would cost more than all the rest.
pid_t cloneStage(StagePlan& plan, int* pidfd, int cgroup) {
  alignas(16) char stack[64 << 10];
  CloneArgs args{};
  args.flags = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS | CLONE_PIDFD | CLONE_VM | CLONE_VFORK;
  args.pidfd = reinterpret_cast<uint64_t>(pidfd);
  args.exit_signal = SIGCHLD;
  args.stack = reinterpret_cast<uint64_t>(stack);
  args.stack_size = sizeof stack;
  if (cgroup >= 0) {
    args.flags |= K_CLONE_INTO_CGROUP;
    args.cgroup = static_cast<uint64_t>(cgroup);
  }
  // No handler of this process may run in it.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  long result = cloneCall(&args, [](void* its) { runStage(*static_cast<StagePlan*>(its)); }, &plan);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (result < 0) throwErrno("clone the pod's first process", static_cast<int>(-result));
  return static_cast<pid_t>(result);
}

void openCgroup(Pod& pod, const PodCgroup& cgroup) {
  pod.cgroupPath = cgroup.v2;
  pod.groups = cgroup;
  if (!cgroup.v2.empty()) {
    pod.cgroup = sysFd("open " + cgroup.v2, [&] { return ::open(cgroup.v2.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  }
}

}  // namespace

void awaitEnd(int pidfd) {
  siginfo_t ended{};
  for (;;) {
    if (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &ended, WEXITED | __WALL) == 0) return;
    if (errno != EINTR) break;
  }
  // ECHILD: an adopted pod's init. Its end can be seen all the same.
  pollfd poll{pidfd, POLLIN, 0};
  while (::poll(&poll, 1, -1) < 0 && errno == EINTR) {}
}

void PodMaker::start(const std::string& initPath) {
  bare_ = makeBareNamespace(stage_);
  std::string program = readFile(initPath);
  int fd = ::memfd_create("appshot-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | kMfdExec);
  // EINVAL: a kernel before 6.3, where every memfd may be executed.
  if (fd < 0 && errno == EINVAL) fd = ::memfd_create("appshot-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) throwErrno("make memfd for the init", errno);
  UniqueFd copy(fd);
  writeAll(copy.get(), program.data(), program.size(), "copy the init");
  sys("seal the init", [&] { return ::fcntl(copy.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL); });
  // A file that is open for writing cannot be executed (ETXTBSY).
  std::string self = "/proc/self/fd/" + std::to_string(copy.get());
  init_ = sysFd("open the init", [&] { return ::open(self.c_str(), O_RDONLY | O_CLOEXEC); });
}

Pod PodMaker::startInit(unsigned number, const PodCgroup& cgroup) const {
  Pod pod;
  pod.number = number;
  pod.name = cgroupNameOf(owner_) + "/" + std::to_string(number);
  openCgroup(pod, cgroup);
  int exits[2], control[2];
  sys("make pod's pipe", [&] { return ::pipe2(exits, O_CLOEXEC | O_NONBLOCK); });
  pod.exits = UniqueFd(exits[0]);
  UniqueFd exitsWrite(exits[1]);
  sys("make pod's socket", [&] { return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control); });
  pod.control = UniqueFd(control[0]);
  UniqueFd itsControl(control[1]);
  StageFailure failure;
  StagePlan plan{exits[0], exits[1], control[1], init_.get(), &failure};
  int pidfd = -1;
  {
    InNamespaces bare(bare_.get(), CLONE_NEWNS);
    pod.init = cloneStage(plan, &pidfd, pod.cgroup.get());
  }
  pod.initPidfd = UniqueFd(pidfd);
  if (failure.step < 0) return pod;
  awaitEnd(pidfd);
  throwErrno(std::string("start pod: ") + stageStepName(failure.step), failure.err);
}

Pod PodMaker::make(unsigned number, in_addr address) const {
  PodCgroup cgroup = cgroups_.make(number);
  Pod pod;
  try {
    pod = startInit(number, cgroup);
    pod.farmIp = address;
    network_.connectPod(number, pod.init, pod.initPidfd.get(), address);
    return pod;
  } catch (...) {
    pod.number = number;
    pod.groups = cgroup;
    destroy(pod);
    throw;
  }
}

void PodMaker::readdress(Pod& pod, in_addr address) const {
  network_.readdressPod(pod, address);
  pod.farmIp = address;
}

void PodMaker::destroy(Pod& pod) const {
  pod.groups.kill();
  if (pod.initPidfd.valid()) {
    ::syscall(SYS_pidfd_send_signal, pod.initPidfd.get(), SIGKILL, nullptr, 0);
    awaitEnd(pod.initPidfd.get());
  }
  try {
    network_.disconnectPod(pod.number);
  } catch (const Error&) {
    // Without a socket for netlink the interface stays until the next sweep.
  }
  pod.groups.remove();
}

}  // namespace appshot
