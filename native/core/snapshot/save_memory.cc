#include "core/snapshot/save_memory.h"

#include <algorithm>
#include <map>

#include "core/snapshot/collect_memory.h"
#include "core/snapshot/collect_process.h"
#include "core/snapshot/memory_twin.h"

namespace appshot {

bool copyStopped(const StoppedTree& tree, const State& state, PageWriter& pages, const GoOn& goOn) {
  auto write = [&](const void* bytes, size_t count) {
    pages.append(bytes, count);
    return goOn();
  };
  return std::all_of(state.processes.begin(), state.processes.end(),
                     [&](const Process& process) { return copyRuns(tree.hostPid(process.pid), process.runs, write); });
}

// What a fork does not take along has to be read before the program runs on.
bool survivesFork(const Process& process, const PageRun& run) {
  auto vma = std::lower_bound(process.vmas.begin(), process.vmas.end(), run.address, [](const Vma& v, uint64_t at) { return v.end <= at; });
  return vma != process.vmas.end() && !(vma->advice & kAdviceWipeOnFork);
}

// Writing while stopped is what takes long. The root process is copied copy-on-write and read from its twin; the memory of the
// others, whose parents would notice a twin, goes to a buffer. Then all run on, and the image is written.
bool copyWhileRunning(std::optional<StoppedTree>& tree, const State& state, PageWriter& pages, const GoOn& goOn, const std::function<void()>& running) {
  const Process& root = *std::find_if(state.processes.begin(), state.processes.end(), [](const Process& p) { return p.ppid == 1; });
  StoppedProcess* stoppedRoot = nullptr;
  for (StoppedProcess& stopped : tree->processes())
    if (stopped.vpid == root.pid) stoppedRoot = &stopped;
  MemoryTwin twin(*stoppedRoot, syscallInstruction(stoppedRoot->pid, {root.gadgetSyscall, root.gadgetSigreturn}), root.vmas);
  std::map<uint64_t, std::string> buffered;  // by position
  for (const Process& process : state.processes)
    for (const PageRun& run : process.runs) {
      if (&process == &root && survivesFork(process, run)) continue;
      std::string& bytes = buffered[run.position];
      copyRuns(tree->hostPid(process.pid), {run}, [&](const void* from, size_t count) {
        bytes.append(static_cast<const char*>(from), count);
        return true;
      });
    }
  tree.reset();
  running();
  auto write = [&](const void* bytes, size_t count) {
    pages.append(bytes, count);
    return goOn();
  };
  for (const Process& process : state.processes) {
    std::vector<PageRun> fromTwin;
    for (const PageRun& run : process.runs) {
      auto kept = buffered.find(run.position);
      if (kept == buffered.end()) {
        fromTwin.push_back(run);
        continue;
      }
      if (!copyRuns(twin.pid(), fromTwin, write)) return false;
      fromTwin.clear();
      pages.append(kept->second.data(), kept->second.size());
    }
    if (!copyRuns(twin.pid(), fromTwin, write)) return false;
  }
  return true;
}

}  // namespace appshot
