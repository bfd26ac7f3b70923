// What of a process's memory is still to be filled, as its address space changes under our hands.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace appshot {

// A piece of missing memory and where in pages.bin its contents stand.
struct Extent {
  uint64_t start = 0, end = 0, position = 0;
};

// Pure bookkeeping: no kernel in here.
class Extents {
 public:
  void add(const Extent& extent);
  // Missing pieces inside [start, end), in order.
  std::vector<Extent> within(uint64_t start, uint64_t end) const;
  // The first missing piece at or after `from`, at most `bytes` long; false when nothing is missing from there on.
  bool next(uint64_t from, uint64_t bytes, Extent& piece) const;
  // Is not missing any more: copied, unmapped, or given up by the program (MADV_DONTNEED: reads as zeros from now on).
  void remove(uint64_t start, uint64_t end);
  // mremap: what is missing moves with the pages.
  void move(uint64_t from, uint64_t to, uint64_t bytes);
  bool empty() const { return extents_.empty(); }
  uint64_t bytes() const;

 private:
  std::map<uint64_t, Extent> extents_;  // by start; never overlapping
};

}  // namespace appshot
