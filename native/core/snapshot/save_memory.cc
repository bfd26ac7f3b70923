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

bool StoppedMemory::read(const Process& process, const std::vector<PageRun>& runs, const TakePages& take) const { return copyRuns(tree_.hostPid(process.pid), runs, take); }

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

std::string CopiedMemory::bufferedPart(int32_t vpid, const PageRun& run) const {
  auto after = buffered_.upper_bound({vpid, run.address});
  if (after == buffered_.begin()) return {};
  const auto& [place, bytes] = *std::prev(after);
  // The pieces that are asked for are parts of those that were buffered.
  if (place.first != vpid || run.address >= place.second + bytes.size()) return {};
  return bytes.substr(run.address - place.second, run.pages * kPageSize);
}

bool CopiedMemory::read(const Process& process, const std::vector<PageRun>& runs, const TakePages& take) const {
  std::vector<PageRun> fromTwin;
  for (const PageRun& run : runs) {
    std::string bytes = bufferedPart(process.pid, run);
    if (bytes.empty()) {
      fromTwin.push_back(run);
      continue;
    }
    if (!copyRuns(twin_->pid(), fromTwin, take)) return false;
    fromTwin.clear();
    if (!take({{reinterpret_cast<void*>(run.address), bytes.size()}}, bytes.data(), bytes.size())) return false;
  }
  return copyRuns(twin_->pid(), fromTwin, take);
}

Copied saveMemory(State& state, PageSaver& saver, const SavePlan& plan) {
  const uint64_t all = bytesOf(state);
  auto tooDifferent = [&] { return saver.hasBase() && (saver.ownBytes() * kMostOwnOf > all || saver.baseBytes() > all * kMostBaseTimes); };
  std::vector<std::vector<PageRun>> saved(state.processes.size());
  for (PageUse use : {PageUse::First, PageUse::Later, PageUse::Rest}) {
    for (size_t i = 0; i < saved.size(); i++) {
      const Process& process = state.processes[i];
      saver.begin(process.pid, use == PageUse::First);
      bool went = plan.source.read(process, plan.uses.runsOf(process, use), [&](const std::vector<iovec>& pieces, char* bytes, size_t) {
        saver.take(pieces, bytes);
        return !tooDifferent() && plan.goOn();
      });
      if (!went) return tooDifferent() ? Copied::TooDifferent : Copied::Cancelled;
      std::vector<PageRun> runs = saver.finish();
      saved[i].insert(saved[i].end(), runs.begin(), runs.end());
    }
    if (use == PageUse::First) saver.endFirst();
  }
  for (size_t i = 0; i < saved.size(); i++) {
    Process& process = state.processes[i];
    std::vector<uint64_t> borders;
    for (const Vma& vma : process.vmas) borders.push_back(vma.start);
    process.runs = arrangeRuns(std::move(saved[i]), borders, saver.baseBytes());
  }
  return Copied::Done;
}

}  // namespace appshot
