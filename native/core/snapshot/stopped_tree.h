// All processes of a pod, stopped together.
#pragma once

#include <map>
#include <vector>

#include "core/pod/pod.h"
#include "core/snapshot/tracee.h"

namespace appshot {

struct StoppedProcess {
  pid_t pid = -1;      // host
  pid_t vpid = -1;     // inside the pod
  std::map<pid_t, pid_t> virtualIds;  // host tid -> virtual tid
  std::vector<Tracee> threads;        // the leader first; empty for a zombie
  bool zombie = false;
};

// Host pids of everything in the pod but its init.
std::vector<pid_t> podProcesses(const Pod& pod);

class StoppedTree {
 public:
  // Stops every thread of every process, also of those that are made meanwhile. All are stopped or none:
  // throws Error `unsupported-state` that names the process which could not be stopped within `withinMs`.
  StoppedTree(const Pod& pod, int withinMs);

  std::vector<StoppedProcess>& processes() { return processes_; }
  // Host pid of the process with this pid inside the pod; -1 where there is none.
  pid_t hostPid(pid_t vpid) const;
  // The first thread of each process stands where it waits, or is about to, so that it holds no lock of its libraries: one that is
  // busy is let run until it comes there. False when one did not in time; all are stopped in either case. Throws Error
  // `unsupported-state` where one has been stopped by a signal before it came there.
  bool comeToRest(double withinUs);
  // The same where that is as well, but not needed: whoever does not come there in time stays where it is.
  void tryToRest(double withinUs);
  // All threads are again what they were, and stay stopped: should we die now, they run on.
  void putBack();
  // Ends every process. A traced process that was killed stays, and its pid namespace with it, until its tracer has taken notice of
  // each of its threads: this does.
  void kill();

 private:
  bool stopNew(pid_t pid, double deadlineUs);

  std::vector<StoppedProcess> processes_;
};

}  // namespace appshot
