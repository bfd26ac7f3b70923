#include "core/snapshot/collect_state.h"

#include <time.h>

#include <algorithm>
#include <future>
#include <optional>
#include <sstream>

#include "core/image/environment.h"
#include "core/snapshot/collect_files.h"
#include "core/snapshot/collect_ipc.h"
#include "core/snapshot/collect_memory.h"
#include "core/snapshot/collect_stops.h"
#include "core/snapshot/collect_undos.h"
#include "core/snapshot/collect_queues.h"
#include "core/snapshot/family.h"
#include "core/snapshot/filter_trial.h"
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

// Memory that was mapped since the look has flags that nobody knows: a heap grows and shrinks at any time.
bool knowsAll(const ProcessPreview& preview, const std::vector<MapLine>& maps) {
  return std::all_of(maps.begin(), maps.end(), [&](const MapLine& line) { return preview.vmFlags.count(line.start) > 0; });
}

}  // namespace

State collectState(StoppedTree& tree, const Pod& pod, const Preview& preview, PageWriter& pages, Course& course) {
  State state;
  state.environment = readEnvironment();
  GhostCollector ghosts(state);
  MemoryCollector memory(state, ghosts);
  state.ownAddress = pod.farmIp.s_addr;
  FileCollector files({state, memory, ghosts, preview.paths, pod.init, course});
  std::vector<std::future<std::vector<PageRun>>> runs;
  std::vector<pid_t> pids;
  for (const StoppedProcess& stopped : tree.processes())
    if (!stopped.zombie) pids.push_back(stopped.pid);  // the others are found again among their parents' children
  for (StoppedProcess& stopped : tree.processes()) {
    if (stopped.zombie) continue;
    std::vector<MapLine> maps = readMaps(std::to_string(stopped.pid));
    auto seen = preview.processes.find(stopped.pid);
    std::optional<ProcessPreview> late;
    if (seen == preview.processes.end() || !knowsAll(seen->second, maps)) late = previewProcess(stopped.pid, maps);
    if (late) late->waits = seen != preview.processes.end() ? seen->second.waits : WaitsBegun{};
    const ProcessPreview& before = late ? *late : seen->second;
    Process process;
    readFamilyIds(stopped.pid, pids, process);
    collectProcess(stopped, before, maps, process);
    if (!process.gadgetSyscall || !process.gadgetSigreturn)
      throw Error("unsupported-state", processName(stopped.pid) + " has no C library that the restorer could leave over; not supported");
    process.exeGhost = ghosts.ghostOfProgram(stopped.pid);
    process.vmas = memory.collect(stopped.pid, maps, before.vmFlags);
    // Takes as long as the descriptors do, of a processor and of none of what they are asked.
    runs.push_back(std::async(std::launch::async, findRuns, stopped.pid, process.vmas));
    process.descriptors = files.collect(stopped.pid, process.locks);
    tryFilters(process, state.files);
    state.processes.push_back(std::move(process));
  }
  for (size_t i = 0; i < runs.size(); i++) state.processes[i].runs = runs[i].get();
  files.finish();
  readClocks(tree.processes().front().pid, state);
  memory.saveShared(pages);
  ghosts.save();
  collectIpc(pod, state, pages);
  collectUndos(tree, pod.init, state);
  collectStops(tree, state);
  collectQueueMessages(pod.init, state);
  for (Process& zombie : readZombies(pids)) state.processes.push_back(std::move(zombie));
  sortFamily(state.processes);
  return state;
}

}  // namespace appshot
