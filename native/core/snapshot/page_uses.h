// In which order pages are written: those that a first request needs stand together, so that a wake from disk reads them in one go.
#pragma once

#include <map>
#include <vector>

#include "core/fill/working_set.h"
#include "core/image/model.h"

namespace appshot {

enum class PageUse {
  First,  // what the wake itself reads, and what a first request needs
  Later,  // the rest of the working set
  Rest,
};

class PageUses {
 public:
  // Of the image that the program was woken from; empty where nothing is known.
  explicit PageUses(const std::vector<TouchedPage>& workingSet);
  // Those pages of the process's runs, by address.
  std::vector<PageRun> runsOf(const Process& process, PageUse use) const;

 private:
  using Addresses = std::vector<uint64_t>;  // ascending
  std::map<uint32_t, Addresses> first_, later_;  // by virtual pid
};

// The runs of a process in the order of their addresses, as few as may be: joined where they follow each other in memory and in the
// file; apart where a range of memory begins (`borders`, ascending), which a restore treats by itself, and at the end of the base.
std::vector<PageRun> arrangeRuns(std::vector<PageRun> runs, const std::vector<uint64_t>& borders, uint64_t baseBytes);

}  // namespace appshot
