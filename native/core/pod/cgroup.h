// The cgroups of pods. cgroup v2 kills, freezes and counts; limits are set on v2 or, on a hybrid machine, on whichever v1
// hierarchy has the controller.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/sys/unique_fd.h"

namespace appshot {

struct CgroupLimits {
  uint64_t memoryBytes = 0;  // 0: no limit
  double cpus = 0;           // 0: no limit
  unsigned pids = 0;         // 0: no limit
};

struct CgroupUsage {
  uint64_t memoryBytes = 0;  // without file pages that the kernel can drop
  uint64_t cpuUs = 0;
};

// The cgroup directories of one pod.
struct PodCgroup {
  std::string v2;                              // empty where no cgroup v2 is mounted
  std::map<std::string, std::string> v1;       // controller -> directory; only memory, pids, cpu and cpuacct. Beside v2, those of pids
                                               // and cpu are made where there is a limit, and that of cpuacct never

  // Does nothing once remove() was called: the directories may be another pod's by then. So does moveIntoV1().
  void limit(const CgroupLimits& limits) const;
  CgroupUsage usage() const;
  // cgroup.procs of every v1 directory, open for writing: who writes "0" to each has joined, and its children with it.
  // The first join costs 7 to 15 ms (the kernel waits for a grace period), so it is nothing for a wake's path.
  std::vector<UniqueFd> openV1Procs() const;
  // Moves the processes that are in v2 into the v1 directories, too. For those that were cloned straight into v2.
  void moveIntoV1() const;
  // Host pids of every process in it. Waits while moveIntoV1() is at work: the kernel keeps the members of a v2 cgroup in lists by
  // their v1 cgroups, and who reads one list after the other misses a process that is moved behind his back (8 of 240,000 reads),
  // and would take its instance for ended, or leave it out of a snapshot.
  std::vector<pid_t> pids() const;
  // Kills every process in it, however many it forks meanwhile. Does not wait.
  void kill() const;
  // Removes the directories, waiting for the last processes to be gone from them. False when they would not go.
  bool remove() const;

 private:
  std::vector<pid_t> readPids() const;

  struct Shared {
    std::mutex mutex;  // of who changes what is there
    bool isRemoved = false;
  };
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();  // by the copies of one pod's
};

// Where the cgroups of one owner are made.
class CgroupTree {
 public:
  // Looks at what is mounted. Throws Error when the machine has neither v2 nor v1 with pids.
  static CgroupTree find(const std::string& owner);

  // Makes the directories of the owner and switches the controllers on.
  void start() const;
  PodCgroup make(unsigned number) const;
  PodCgroup of(unsigned number) const;
  // Numbers of pods that have a directory, whoever made it.
  std::vector<unsigned> numbers() const;
  // Removes the owner's own directories, which must be empty.
  void close() const;

 private:
  std::string v2_;                             // .../appshot-<owner>
  std::map<std::string, std::string> v1_;
};

}  // namespace appshot
