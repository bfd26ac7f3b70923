// A snapshot image on disk: a directory with
//
//   image.bin   header, then records; each record: header {type, name length, size, CRC-32C of name and data, CRC-32C of the header},
//               name, data, padding to 8 bytes; the last one is `end`
//   pages.bin   page contents, 4096 bytes each, in the order of the page runs
//
// Written beside its place, synced, then renamed by the keeper. docs/image-format.md draws it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/image/model.h"
#include "core/sys/unique_fd.h"

namespace appshot {

constexpr uint32_t kImageVersion = 1;
constexpr uint64_t kPageSize = 4096;
// Pages are checked in chunks of this many bytes.
constexpr uint64_t kChunkBytes = 1 << 20;

// Writes pages one after the other, and sums them up as they come.
class PageWriter {
 public:
  explicit PageWriter(const std::string& path);
  // Position of the next page.
  uint64_t position() const { return position_; }
  void append(const void* pages, size_t bytes);
  const std::vector<uint32_t>& chunkSums();  // ends the last chunk
  // What was written here need not be read again to be believed: call when all is written and synced.
  void trust() const;
  int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  uint64_t position_ = 0;
  uint32_t sum_ = 0;
  uint64_t inChunk_ = 0;
  std::vector<uint32_t> sums_;
};

// Writes image.bin into `directory`. Does not sync.
void writeImageFile(const std::string& directory, const State& state, const std::string& meta, const std::vector<uint32_t>& chunkSums,
                    uint64_t pageBytes);
// Syncs image.bin, pages.bin and the directory.
void syncImage(const std::string& directory);

class Image {
 public:
  // Reads and checks everything but the pages. Throws Error `image-invalid` with the place and the reason.
  explicit Image(const std::string& directory);

  // Checks every chunk of pages once; a repeated call is free while the file is unchanged.
  void verifyPages() const;

  const State& state() const { return state_; }
  const std::string& meta() const { return meta_; }
  const std::string& directory() const { return directory_; }
  int pagesFd() const { return pages_.get(); }
  uint64_t pageBytes() const { return pageBytes_; }

 private:
  void readRecords(const std::string& bytes);
  void validate() const;

  std::string directory_;
  State state_;
  std::string meta_;
  std::vector<uint32_t> chunkSums_;
  uint64_t pageBytes_ = 0;
  UniqueFd pages_;
};

}  // namespace appshot
