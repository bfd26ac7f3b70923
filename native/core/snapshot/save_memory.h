// Private memory of stopped processes into the image.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "core/image/model.h"
#include "core/snapshot/collect_memory.h"
#include "core/snapshot/memory_twin.h"
#include "core/snapshot/page_saver.h"
#include "core/snapshot/page_uses.h"
#include "core/snapshot/stopped_tree.h"

namespace appshot {

// Says whether to go on; asked between pieces.
using GoOn = std::function<bool()>;

enum class Copied {
  Done,          // the processes' runs say where each page stands
  Cancelled,     // `goOn` said no
  TooDifferent,  // a delta would save too little: begin again without a base. The processes' runs are what they were
};

// Where the contents of processes are read.
class MemorySource {
 public:
  virtual ~MemorySource() = default;
  // As copyRuns, for some pages of `process`.
  virtual bool read(const Process& process, const std::vector<PageRun>& runs, const TakePages& take) const = 0;
};

// The stopped processes themselves.
class StoppedMemory : public MemorySource {
 public:
  explicit StoppedMemory(const StoppedTree& tree) : tree_(tree) {}
  bool read(const Process& process, const std::vector<PageRun>& runs, const TakePages& take) const override;

 private:
  const StoppedTree& tree_;
};

// Copies of them, made here while they stand still, so that they may run on: the root process is copied copy-on-write (a twin);
// the memory of the others, whose parents would notice a twin, and what a fork does not take along go to a buffer.
class CopiedMemory : public MemorySource {
 public:
  CopiedMemory(StoppedTree& tree, const State& state);
  bool read(const Process& process, const std::vector<PageRun>& runs, const TakePages& take) const override;

 private:
  // Those pages of `run` that are in the buffer; empty: it has to be read from the twin.
  std::string bufferedPart(int32_t vpid, const PageRun& run) const;

  std::optional<MemoryTwin> twin_;
  std::map<std::pair<int32_t, uint64_t>, std::string> buffered_;  // by process and address
};

// Copies the runs of all processes into the image, what is used first before all else; their positions before do not count.
struct SavePlan {
  const MemorySource& source;
  const PageUses& uses;
  const GoOn& goOn;
};
Copied saveMemory(State& state, PageSaver& saver, const SavePlan& plan);

}  // namespace appshot
