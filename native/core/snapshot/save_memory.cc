#include "core/snapshot/save_memory.h"

#include <algorithm>

#include "core/snapshot/collect_process.h"

namespace appshot {

namespace {

// Disk that a delta and its base may take together, against a whole image: beyond that a new base is written.
constexpr uint64_t kMostOwnOf = 2;       // own pages: at most 1/2 of all
constexpr uint64_t kMostBaseTimes = 2;   // the base: at most twice all

// What a fork does not take along has to be read before the program runs on.
bool survivesFork(const Process& process, const PageRun& run) {
  auto vma = std::lower_bound(process.vmas.begin(), process.vmas.end(), run.address, [](const Vma& v, uint64_t at) { return v.end <= at; });
  return vma != process.vmas.end() && !(vma->advice & kAdviceWipeOnFork);
}

uint64_t bytesOf(const State& state) {
  uint64_t pages = 0;
  for (const Process& process : state.processes)
    for (const PageRun& run : process.runs) pages += run.pages;
  return pages * kPageSize;
}

}  // namespace

bool StoppedMemory::read(const Process& process, const TakePages& take) const { return copyRuns(tree_.hostPid(process.pid), process.runs, take); }

CopiedMemory::CopiedMemory(StoppedTree& tree, const State& state) {
  const Process& root = *std::find_if(state.processes.begin(), state.processes.end(), [](const Process& p) { return p.ppid == 1; });
  for (StoppedProcess& stopped : tree.processes())
    if (stopped.vpid == root.pid) twin_.emplace(stopped, syscallInstruction(stopped.pid, {root.gadgetSyscall, root.gadgetSigreturn}), root.vmas);
  for (const Process& process : state.processes)
    for (const PageRun& run : process.runs) {
      if (&process == &root && survivesFork(process, run)) continue;
      std::string& bytes = buffered_[{process.pid, run.address}];
      copyRuns(tree.hostPid(process.pid), {run}, [&](const std::vector<iovec>&, char* from, size_t count) {
        bytes.append(from, count);
        return true;
      });
    }
}

bool CopiedMemory::read(const Process& process, const TakePages& take) const {
  std::vector<PageRun> fromTwin;
  for (const PageRun& run : process.runs) {
    auto kept = buffered_.find({process.pid, run.address});
    if (kept == buffered_.end()) {
      fromTwin.push_back(run);
      continue;
    }
    if (!copyRuns(twin_->pid(), fromTwin, take)) return false;
    fromTwin.clear();
    std::string bytes = kept->second;
    if (!take({{reinterpret_cast<void*>(run.address), bytes.size()}}, bytes.data(), bytes.size())) return false;
  }
  return copyRuns(twin_->pid(), fromTwin, take);
}

Copied saveMemory(State& state, const MemorySource& source, PageSaver& saver, const GoOn& goOn) {
  const uint64_t all = bytesOf(state);
  auto tooDifferent = [&] { return saver.hasBase() && (saver.ownBytes() * kMostOwnOf > all || saver.baseBytes() > all * kMostBaseTimes); };
  std::vector<std::vector<PageRun>> saved;
  for (const Process& process : state.processes) {
    std::vector<uint64_t> borders;
    for (const Vma& vma : process.vmas) borders.push_back(vma.start);
    saver.begin(process.pid, std::move(borders));
    bool went = source.read(process, [&](const std::vector<iovec>& pieces, char* bytes, size_t) {
      saver.take(pieces, bytes);
      return !tooDifferent() && goOn();
    });
    if (!went) return tooDifferent() ? Copied::TooDifferent : Copied::Cancelled;
    saved.push_back(saver.finish());
  }
  for (size_t i = 0; i < saved.size(); i++) state.processes[i].runs = std::move(saved[i]);
  return Copied::Done;
}

}  // namespace appshot
