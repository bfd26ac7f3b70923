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

  // Begins with pages of a process, which come in ascending order. `together`: also some of those that the base has are written, unless
  // they stand together there, too.
  void begin(int32_t vpid, bool together);
  // Saves memory that was read from `pieces` (addresses and lengths in the process) to `bytes`, which it may overwrite.
  void take(const std::vector<iovec>& pieces, char* bytes);
  // Where those pages are now, in ascending order.
  std::vector<PageRun> finish() { return std::move(runs_); }
  // What a first request needs has been saved.
  void endFirst() { pages_.endFirst(); }

  bool hasBase() const { return earlier_ != nullptr; }
  uint64_t baseBytes() const { return earlier_ ? earlier_->base().bytes : 0; }
  // Bytes of pages that do not stand in the base.
  uint64_t ownBytes() const { return own_; }

 private:
  void add(uint64_t address, uint64_t position);
  bool isToBeTaken(uint64_t found);
  // Finds which pages of [address, address + bytes) the earlier image has with these contents, and where.
  void compare(uint64_t address, const char* bytes, size_t count);

  PageWriter& pages_;
  const EarlierPages* earlier_;
  const std::vector<PageRun>* earlierRuns_ = nullptr;
  size_t nextEarlierRun_ = 0;
  bool together_ = false;
  std::vector<PageRun> runs_;
  std::vector<uint64_t> found_;      // earlier position by page of the piece; kNotThere
  std::vector<char> earlierBytes_;
  uint64_t own_ = 0, takenAlong_ = 0;
};

}  // namespace appshot
