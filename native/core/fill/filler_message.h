// What goes from the keeper to its filler.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/fill/fill_job.h"

namespace appshot {

inline constexpr char kFillerName[] = "appshot-filler";
// SCM_MAX_FD of the kernel is 253.
inline constexpr size_t kMaxFillDescriptors = 128;
inline constexpr size_t kMaxFillProcesses = kMaxFillDescriptors - 3;

// One datagram; with it: pages.bin, the plans as a memfd, the write end of a pipe that tells the end, then one userfaultfd a plan.
struct FillMessage {
  uint64_t pageBytes = 0;
  char imageDir[1024]{};
};

// Plans as a memfd.
UniqueFd writePlans(const std::vector<FillPlan>& plans);
std::vector<FillPlan> readPlans(int fd);

// Counts orders under way in the filler.
class FillerBusy {
 public:
  FillerBusy();
  ~FillerBusy();
  static void waitForNone();
};

}  // namespace appshot
