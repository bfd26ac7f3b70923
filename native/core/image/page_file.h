// Files of page contents: pages.bin of an image, and base.bin, which is the pages.bin of another.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/sys/unique_fd.h"

namespace appshot {

constexpr uint64_t kPageSize = 4096;
// Pages are checked in chunks of this many bytes.
constexpr uint64_t kChunkBytes = 1 << 20;

// The pages that a delta shares with an earlier image.
struct PageBase {
  std::string name;             // of the image they were first saved with; for messages
  uint64_t bytes = 0;           // size of base.bin; 0: the image is whole
  std::vector<uint32_t> sums;   // of its chunks
};

// Writes pages one after the other, and sums them up as they come.
class PageWriter {
 public:
  // `start`: position of the first page, behind those of the base.
  explicit PageWriter(const std::string& path, uint64_t start = 0);
  // Position of the next page.
  uint64_t position() const { return position_; }
  void append(const void* pages, size_t bytes);
  const std::vector<uint32_t>& chunkSums();  // ends the last chunk
  // Bytes written so far.
  uint64_t written() const { return position_ - start_; }
  // Begins anew at position 0 with the first `keep` bytes that were written; the rest is forgotten.
  void startOver(uint64_t keep);
  // What was written here need not be read again to be believed: call when all is written and synced.
  void trust() const;
  int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  uint64_t start_ = 0, position_ = 0;
  uint32_t sum_ = 0;
  uint64_t inChunk_ = 0;
  std::vector<uint32_t> sums_;
};

// Checks the bytes of a file from first to second against the sums of their chunks; free where the file is known from before.
// `what` names it. Throws Error `image-invalid`.
void verifyChunks(int fd, std::pair<uint64_t, uint64_t> range, const std::vector<uint32_t>& sums, const std::string& what);

}  // namespace appshot
