// Fills the missing memory of one process through its userfaultfd, while the process runs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/fill/extents.h"
#include "core/fill/working_set.h"
#include "core/sys/unique_fd.h"

namespace appshot {

struct FillPlan {
  uint64_t pid = 0;                // virtual, for the working set
  std::vector<Extent> missing;     // what the image has and the process has not yet
  std::vector<Extent> next;        // the part of it that the first requests will touch, in the order of their use
  uint64_t firstPieces = 0;        // so many of those, by address, are there before the program runs
  std::vector<Extent> registered;  // ranges under the userfaultfd (position unused)
  std::vector<Extent> early;       // what the process itself reads before it runs (only the positions count)
};

struct FillSource {
  const char* pages;  // of the image, mapped
  int duplicates;     // socket in which userfaultfds of forked children outlive the filler
};

// Serves faults first; fills what is next at once, ahead of the program, and the rest when the program leaves time for it; then
// lets go of the memory, which is from then on ordinary anonymous memory. Returns what was missed in the first requests. Runs on
// a thread of the filler; forked children of the program are served by threads of their own, which end before this returns.
// `beforeRest` is called before pages are read that nobody waits for.
std::vector<TouchedPage> runFillJob(UniqueFd uffd, const FillPlan& plan, const FillSource& source, const std::function<void()>& beforeRest);

}  // namespace appshot
