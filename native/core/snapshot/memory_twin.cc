#include "core/snapshot/memory_twin.h"

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>

#include "core/sys/sys.h"

namespace appshot {

MemoryTwin::MemoryTwin(StoppedProcess& stopped, uint64_t instruction) {
  Tracee& leader = stopped.threads.front();
  int64_t made = leader.forkTraced(instruction, CLONE_PARENT, pid_);
  if (made < 0) throwErrno("fork a twin of process " + std::to_string(stopped.vpid), static_cast<int>(-made));
  int status = 0;
  // Its first stop: it was born under our eyes.
  sys("wait for a twin", [&] { return ::waitpid(pid_, &status, __WALL | __WNOTHREAD); });
}

MemoryTwin::~MemoryTwin() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, __WALL | __WNOTHREAD) == pid_ && WIFSTOPPED(status)) {
  }
}

}  // namespace appshot
