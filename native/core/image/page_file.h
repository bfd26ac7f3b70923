// Files of page contents: pages.bin of an image, and base.bin, which is the pages.bin of another.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/image/verified_files.h"
#include "core/sys/unique_fd.h"

namespace appshot {

constexpr uint64_t kPageSize = 4096;
// Pages are checked in chunks of this many bytes.
constexpr uint64_t kChunkBytes = 1 << 20;

// The pages that a delta shares with an earlier image.
struct PageBase {
  std::string name;             // of the image they were first saved with; for messages
  uint64_t bytes = 0;           // size of base.bin; 0: the image is whole
  uint64_t firstBytes = 0;      // of that, from the beginning on, what a first request needed
  std::vector<uint32_t> sums;   // of its chunks
};

// What one snapshot wrote into a page file.
struct PageSegment {
  uint64_t from = 0, to = 0;
  uint64_t firstTo = 0;         // up to there stands what a first request needs
  std::vector<uint32_t> sums;   // of its chunks, counted from its beginning
};

// Writes pages one after the other, and sums them up as they come.
class PageWriter {
 public:
  // Makes the file. `start`: position of the first page, behind those of the base.
  explicit PageWriter(const std::string& path, uint64_t start = 0);
  // Goes on behind all that stands in `file`, the page file at `path` that other images have, too: see openToAppend. What is appended
  // is cut off again at the end, unless `keep` was called.
  PageWriter(const std::string& path, UniqueFd file);
  ~PageWriter();
  PageWriter(const PageWriter&) = delete;
  PageWriter& operator=(const PageWriter&) = delete;

  // Position of the next page.
  uint64_t position() const { return position_; }
  void append(const void* pages, size_t bytes);
  // What was written so far; ends its last chunk.
  PageSegment segment();
  // What a first request needs has been written.
  void endFirst() { firstTo_ = position_; }
  // Bytes written so far.
  uint64_t written() const { return position_ - start_; }
  // Begins anew in a file of its own, at position `start`, with the first `keep` bytes that were written; the rest is forgotten.
  void startOver(uint64_t start, uint64_t keep);
  // An image needs what was written here, and it need not be read again to be believed: call when all is written and synced.
  void keep();

 private:
  void endChunk();
  void giveBack();

  std::string path_;
  UniqueFd fd_;
  bool isShared_ = false, isKept_ = false;
  VerifiedRanges before_;  // of a shared file
  uint64_t start_ = 0, position_ = 0, firstTo_ = 0;
  uint32_t sum_ = 0;
  uint64_t inChunk_ = 0;
  std::vector<uint32_t> sums_;
};

// Opens a page file that other images have, to append to it. Invalid where another snapshot does so now, or where it is not what was
// checked before.
UniqueFd openToAppend(const std::string& path);

// Checks a segment of a file; free where it is known from before. `what` names the file. Throws Error `image-invalid`.
void verifySegment(int fd, const PageSegment& segment, const std::string& what);

}  // namespace appshot
