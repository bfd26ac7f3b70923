// The pages that the first requests after a wake touch: filled before the program runs.
//
// A hint that stands beside the image (working-set.bin): a missing or broken one costs time, never correctness.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace appshot {

struct WorkingSetRun {
  uint64_t pid = 0;  // virtual
  uint64_t address = 0;
  uint64_t pages = 0;
};

// Sorted by process and address, neighbours joined. Empty where there is none, or it is broken.
std::vector<WorkingSetRun> readWorkingSet(const std::string& imageDir);

// Adds `runs` to what is there. Errors are ignored: it is a hint.
void addToWorkingSet(const std::string& imageDir, std::vector<WorkingSetRun> runs);

// The image that a program was woken from tells best what the next wake will touch.
void copyWorkingSet(const std::string& fromImageDir, const std::string& toImageDir);

}  // namespace appshot
