// What goes from the keeper to its filler.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/fill/fill_job.h"

namespace appshot {

inline constexpr char kFillerName[] = "appshot-filler";
// More processes than these in one instance are filled before they run. Their userfaultfds wait in a socket, of which the kernel
// lets each user have only so many at a time.
inline constexpr size_t kMaxFillProcesses = 128;

// One datagram; with it: pages.bin, the plans as a memfd, the write end of a pipe that tells the end (to the pod's init), the socket from which
// the userfaultfds come, base.bin (of a delta), and the socket into which duplicates of those go that belong to forked children.
inline constexpr size_t kFillDescriptors = 6;
struct FillMessage {
  uint64_t pageBytes = 0;
  uint64_t baseBytes = 0;
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
