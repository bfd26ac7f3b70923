#include "core/snapshot/family.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <sstream>

#include "core/snapshot/collect_thread.h"
#include "core/sys/error.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

// Of a child that is in no cgroup any more.
Process readZombie(pid_t pid, const std::vector<pid_t>& pids) {
  ProcStat stat = readProcStat(std::to_string(pid));
  if (stat.state != 'Z' && stat.state != 'X') throw Error("internal", processName(pid) + " appeared after everything was stopped");
  Process zombie;
  readFamilyIds(pid, pids, zombie);
  zombie.zombie = true;
  zombie.exitStatus = static_cast<int32_t>(stat.number(52));
  zombie.exitSignal = static_cast<int32_t>(stat.number(38));
  return zombie;
}

}  // namespace

void readFamilyIds(pid_t pid, const std::vector<pid_t>& pids, Process& process) {
  std::map<std::string, std::string> status = readProcStatus(std::to_string(pid));
  auto innermost = [&](const char* name) {
    std::vector<uint32_t> ids = statusNumbers(status[name]);
    return ids.empty() ? 0 : static_cast<int32_t>(ids.back());
  };
  auto parent = static_cast<pid_t>(std::strtol(status["PPid"].c_str(), nullptr, 10));
  process.pid = innermost("NSpid");
  process.ppid = std::find(pids.begin(), pids.end(), parent) != pids.end() ? virtualPid(parent) : 1;
  process.pgid = innermost("NSpgid");
  process.sid = innermost("NSsid");
  process.comm = status["Name"];
}

std::vector<Process> readZombies(const std::vector<pid_t>& pids) {
  std::vector<Process> zombies;
  std::set<pid_t> known(pids.begin(), pids.end());
  for (pid_t pid : pids)
    for (const std::string& thread : listDirectory("/proc/" + std::to_string(pid) + "/task")) {
      std::istringstream children(readFileIfThere("/proc/" + std::to_string(pid) + "/task/" + thread + "/children"));
      for (pid_t child; children >> child;)
        if (known.insert(child).second) zombies.push_back(readZombie(child, pids));
    }
  return zombies;
}

State readFamily(const std::vector<pid_t>& pids) {
  State state;
  for (pid_t pid : pids) {
    Process process;
    readFamilyIds(pid, pids, process);
    state.processes.push_back(std::move(process));
  }
  for (Process& zombie : readZombies(pids)) state.processes.push_back(std::move(zombie));
  sortFamily(state.processes);
  return state;
}

void sortFamily(std::vector<Process>& processes) {
  std::vector<Process> sorted;
  std::set<int32_t> placed{1};
  while (!processes.empty()) {
    auto next = std::find_if(processes.begin(), processes.end(), [&](const Process& p) { return placed.count(p.ppid) > 0; });
    if (next == processes.end()) throw Error("internal", "a process has a parent that is not in the tree");
    placed.insert(next->pid);
    sorted.push_back(std::move(*next));
    processes.erase(next);
  }
  processes = std::move(sorted);
}

}  // namespace appshot
