// A pod: the namespaces, the cgroup, the network slot and the tiny init (pid 1) that one instance lives in.
// Made in advance and pooled; given an instance's file view when it is taken; thrown away with the instance.
#pragma once

#include <netinet/in.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "core/pod/cgroup.h"
#include "core/sys/unique_fd.h"

namespace appshot {

struct Pod {
  std::string name;          // appshot-<owner>/<number>, as its cgroup is called; its interface is as<owner>.<number>
  unsigned number = 0;
  pid_t init = -1;           // host pid of the pod's pid 1; a child of the keeper unless the pod was adopted
  UniqueFd initPidfd;        // one setns() through it enters pid, net, ipc, uts, cgroup and mount namespaces
  UniqueFd exits;            // read end of the init's pipe: ExitRecord by ExitRecord
  UniqueFd control;          // socket to the init, for core/fill; invalid in an adopted pod
  UniqueFd cgroup;           // its cgroup v2 directory, for CLONE_INTO_CGROUP and cgroup.freeze; invalid without v2
  std::string cgroupPath;    // the same as a path
  PodCgroup groups;          // its directories in every hierarchy
  in_addr farmIp{};          // its address, as reached from the node
};

using PodPtr = std::shared_ptr<Pod>;

// What the init writes for each process that it reaped; vpid 0: no process is left in the pod.
struct ExitRecord {
  int vpid;
  int status;                // as from wait()
};

}  // namespace appshot
