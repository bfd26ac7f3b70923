// Which pages of a program an image has to hold itself, and which the image that the program came from holds already.
//
// Compared are contents, not marks of the kernel: whatever happened since (a fork, mremap, another keeper, a swapped base) the
// outcome is right. docs/adr/0080 has what it costs.
#pragma once

#include <sys/uio.h>

#include <vector>

#include "core/snapshot/earlier_pages.h"

namespace appshot {

class PageSaver {
 public:
  // `earlier`: null for a whole image.
  PageSaver(PageWriter& pages, const EarlierPages* earlier) : pages_(pages), earlier_(earlier) {}

  // Begins a process: its pages come in ascending order. `borders`: where its ranges of memory start, ascending; no run goes across
  // one.
  void begin(int32_t vpid, std::vector<uint64_t> borders);
  // Saves memory that was read from `pieces` (addresses and lengths in the process) to `bytes`, which it may overwrite.
  void take(const std::vector<iovec>& pieces, char* bytes);
  // What the process's runs are now.
  std::vector<PageRun> finish() { return std::move(runs_); }

  bool hasBase() const { return earlier_ != nullptr; }
  uint64_t baseBytes() const { return earlier_ ? earlier_->base().bytes : 0; }
  // Bytes of pages that do not stand in the base.
  uint64_t ownBytes() const { return own_; }

 private:
  void add(uint64_t address, uint64_t position);
  // Finds which pages of [address, address + bytes) the earlier image has with these contents, and where.
  void compare(uint64_t address, const char* bytes, size_t count);

  PageWriter& pages_;
  const EarlierPages* earlier_;
  const std::vector<PageRun>* earlierRuns_ = nullptr;
  size_t nextEarlierRun_ = 0;
  std::vector<uint64_t> borders_;
  size_t nextBorder_ = 0;
  std::vector<PageRun> runs_;
  std::vector<uint64_t> found_;      // earlier position by page of the piece; kNotThere
  std::vector<char> earlierBytes_;
  uint64_t own_ = 0;
};

}  // namespace appshot
