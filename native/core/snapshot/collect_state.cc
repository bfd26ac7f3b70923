#include "core/snapshot/collect_state.h"

#include <time.h>

#include <algorithm>
#include <optional>
#include <set>
#include <sstream>

#include "core/image/environment.h"
#include "core/snapshot/collect_files.h"
#include "core/snapshot/collect_ipc.h"
#include "core/snapshot/collect_memory.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

// Offsets of the instance's time namespace: what it sees minus what the node sees.
void readClocks(pid_t pid, State& state) {
  auto now = [](clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return time.tv_sec * 1'000'000'000ll + time.tv_nsec;
  };
  state.monotonicNs = now(CLOCK_MONOTONIC);
  state.boottimeNs = now(CLOCK_BOOTTIME);
  std::istringstream lines(readFileIfThere("/proc/" + std::to_string(pid) + "/timens_offsets"));
  std::string clock;
  for (int64_t seconds, nanos; lines >> clock >> seconds >> nanos;) {
    int64_t& value = clock == "monotonic" || clock == "1" ? state.monotonicNs : state.boottimeNs;
    value += seconds * 1'000'000'000ll + nanos;
  }
}

// Children that have ended and wait to be collected: in no cgroup any more, but their parents know them.
void collectZombies(StoppedTree& tree, State& state) {
  std::set<pid_t> known;
  for (const StoppedProcess& process : tree.processes()) known.insert(process.pid);
  for (const StoppedProcess& process : tree.processes())
    for (const Tracee& thread : process.threads) {
      std::istringstream children(readFileIfThere("/proc/" + std::to_string(process.pid) + "/task/" + std::to_string(thread.tid()) + "/children"));
      for (pid_t child; children >> child;) {
        if (!known.insert(child).second) continue;
        ProcStat stat = readProcStat(std::to_string(child));
        if (stat.state != 'Z') throw Error("internal", processName(child) + " appeared after everything was stopped");
        Process zombie;
        zombie.pid = virtualPid(child);
        zombie.ppid = process.vpid;
        zombie.zombie = true;
        zombie.exitStatus = static_cast<int32_t>(stat.number(52));
        state.processes.push_back(std::move(zombie));
      }
    }
}

// Memory that was mapped since the look has flags that nobody knows: a heap grows and shrinks at any time.
bool knowsAll(const ProcessPreview& preview, const std::vector<MapLine>& maps) {
  return std::all_of(maps.begin(), maps.end(), [&](const MapLine& line) { return preview.vmFlags.count(line.start) > 0; });
}

}  // namespace

void sortProcesses(std::vector<Process>& processes) {
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

State collectState(StoppedTree& tree, const Pod& pod, const std::map<pid_t, ProcessPreview>& previews, const PathFinder& paths,
                   PageWriter& pages, Course& course) {
  State state;
  state.environment = readEnvironment();
  MemoryCollector memory(state);
  state.ownAddress = pod.farmIp.s_addr;
  FileCollector files(state, memory, paths, pod.init, course);
  for (StoppedProcess& stopped : tree.processes()) {
    if (stopped.zombie) continue;  // found again among its parent's children
    std::vector<MapLine> maps = readMaps(std::to_string(stopped.pid));
    auto seen = previews.find(stopped.pid);
    std::optional<ProcessPreview> late;
    if (seen == previews.end() || !knowsAll(seen->second, maps)) late = previewProcess(stopped.pid, maps);
    const ProcessPreview& preview = late ? *late : seen->second;
    Process process;
    collectProcess(stopped, tree, preview, maps, process);
    if (!process.gadgetSyscall || !process.gadgetSigreturn)
      throw Error("unsupported-state", processName(stopped.pid) + " has no C library that the restorer could leave over; not supported");
    process.vmas = memory.collect(stopped.pid, maps, preview.vmFlags);
    process.descriptors = files.collect(stopped.pid, process.locks);
    state.processes.push_back(std::move(process));
  }
  files.finish();
  readClocks(tree.processes().front().pid, state);
  memory.saveShared(pages);
  collectIpc(pod, state, pages);
  collectZombies(tree, state);
  return state;
}

}  // namespace appshot
