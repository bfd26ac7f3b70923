// The half of a program's start that runs in forks of the keeper, up to the exec.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <vector>

#include "core/sys/unique_fd.h"

namespace appshot {

// Everything that the forks need, put together before: a fork of a process with several threads allocates nothing.
struct ChildPlan {
  char* const* argv;
  char* const* env;
  const char* const* candidates;   // paths of the command in the order in which they are tried
  const char* cwd;
  uid_t uid;
  gid_t gid;
  const gid_t* groups;
  size_t groupsCount;
  const int* cgroupProcs;          // cgroup.procs descriptors to join
  int cgroupProcsCount;
  int spaces;                      // pidfd whose namespaces are entered
  int spacesKinds;
  bool ownTime;                    // a new time namespace, beginning now
  const std::vector<sock_filter>* filter;
  const int* stdio;                // three descriptors, or null: /dev/null and the instance's log
  int reportFd;                    // a SOCK_SEQPACKET socket; StartReport
};

struct StartReport {
  int step;                        // kAlive once, then the step that failed; the end of the file says that the exec worked
  int err;
  int vpid;
};
inline constexpr int kAlive = -1;
inline constexpr int kStepExec = 1;
inline constexpr int kStepCwd = 2;
const char* startStepName(int step);

// In a fork: leaves the program behind as a child of the pod's init, and exits.
[[noreturn]] void runApplicationFork(const ChildPlan& plan);
// In a fork: starts the program as its own child, waits for it and exits as it did.
[[noreturn]] void runGuestFork(const ChildPlan& plan);

}  // namespace appshot
