// Who is whose child, and in which session and group.
#pragma once

#include <sys/types.h>

#include <vector>

#include "core/image/model.h"

namespace appshot {

// Fills in pid, ppid, pgid, sid and name of a process, as the pod sees them. A parent outside of `pids` is the pod's init.
void readFamilyIds(pid_t pid, const std::vector<pid_t>& pids, Process& process);

// Children of these processes that have ended and wait to be collected: in no cgroup any more, but their parents know them.
std::vector<Process> readZombies(const std::vector<pid_t>& pids);

// The processes and their zombies with their ids and names only. They may run.
State readFamily(const std::vector<pid_t>& pids);

// Parents before children, as an image has them.
void sortFamily(std::vector<Process>& processes);

}  // namespace appshot
