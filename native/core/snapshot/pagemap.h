// Which pages of a process hold data of its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace appshot {

struct PageRange {
  uint64_t start = 0, end = 0;
};

// Ranges in [start, end) whose pages are present or swapped out, are not pages of a file and are not the zero page.
// By PAGEMAP_SCAN (Linux 6.7), and by reading /proc/PID/pagemap before it.
std::vector<PageRange> privatePages(pid_t pid, uint64_t start, uint64_t end);

}  // namespace appshot
