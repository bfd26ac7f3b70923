// Which pages of a program an image has to hold itself, and which the image that the program came from holds already.
//
// Compared are contents, not marks of the kernel: whatever happened since (a fork, mremap, another keeper, a swapped base) the
// outcome is right. docs/adr/0080 has what it costs.
#pragma once

#include <sys/uio.h>

#include <map>
#include <memory>
#include <vector>

#include "core/image/image.h"

namespace appshot {

// The pages that the base of a delta holds.
class BasePages {
 public:
  // `image`: the one that the instance came from; its base is the new one's too where it is a delta itself.
  explicit BasePages(std::shared_ptr<const Image> image);

  const PageBase& identity() const { return identity_; }
  int fd() const { return image_->baseForDeltaFd(); }
  // Of the process with this virtual pid, by address.
  const std::vector<PageRun>& runsOf(int32_t vpid) const;

 private:
  std::shared_ptr<const Image> image_;
  PageBase identity_;
  std::map<int32_t, std::vector<PageRun>> runs_;
};

class PageSaver {
 public:
  // `base`: null for a whole image.
  PageSaver(PageWriter& pages, const BasePages* base) : pages_(pages), base_(base) {}

  // Begins a process: its pages come in ascending order. `borders`: where its ranges of memory start, ascending; no run goes across
  // one.
  void begin(int32_t vpid, std::vector<uint64_t> borders);
  // Saves memory that was read from `pieces` (addresses and lengths in the process) to `bytes`, which it may overwrite.
  void take(const std::vector<iovec>& pieces, char* bytes);
  // What the process's runs are now.
  std::vector<PageRun> finish() { return std::move(runs_); }

  bool hasBase() const { return base_ != nullptr; }
  uint64_t baseBytes() const { return base_ ? base_->identity().bytes : 0; }
  // Bytes of pages that stand in the image itself.
  uint64_t ownBytes() const { return own_; }

 private:
  void add(uint64_t address, uint64_t position);
  // Marks in `same` which pages of [address, address + bytes) the base has with these contents, and where.
  void compare(uint64_t address, const char* bytes, size_t count);

  PageWriter& pages_;
  const BasePages* base_;
  const std::vector<PageRun>* baseRuns_ = nullptr;
  size_t nextBaseRun_ = 0;
  std::vector<uint64_t> borders_;
  size_t nextBorder_ = 0;
  std::vector<PageRun> runs_;
  std::vector<uint64_t> found_;      // position in the base by page of the piece; kNotThere
  std::vector<char> baseBytes_;
  uint64_t own_ = 0;
};

}  // namespace appshot
