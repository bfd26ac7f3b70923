// A snapshot image on disk: a directory with
//
//   image.bin   header, then records; each record: header {type, name length, size, CRC-32C of name and data, CRC-32C of the header},
//               name, data, padding to 8 bytes; the last one is `end`
//   pages.bin   page contents, 4096 bytes each; of a delta, a file to which later images may append theirs
//   base.bin    of a delta: a hard link to the pages.bin of an earlier, whole image, from which unchanged pages come
//
// The positions of page runs count through both: the first bytes are those of the base, pages.bin has a hole there.
//
// Written beside its place, synced, then renamed by the keeper. docs/image-format.md draws it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/image/model.h"
#include "core/image/page_file.h"
#include "core/sys/unique_fd.h"

namespace appshot {

constexpr uint32_t kImageVersion = 4;

// Where the pages of an image stand.
struct PageTables {
  PageBase base;                      // of a delta, whose base.bin stands beside; else empty
  std::vector<PageSegment> segments;  // of pages.bin, ascending; one, from 0 on, where the image is whole
  std::vector<uint64_t> frames;       // where pages.zst is there instead, see compressPages
  // Where positions end.
  uint64_t end() const { return segments.empty() ? base.bytes : segments.back().to; }
};

// Writes image.bin into `directory`. Does not sync.
void writeImageFile(const std::string& directory, const State& state, const std::string& meta, const PageTables& pages);
// Syncs image.bin, the pages and the directory.
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
  // Where positions end.
  uint64_t pageBytes() const { return tables_.end(); }
  const std::vector<PageSegment>& segments() const { return tables_.segments; }
  // base.bin: pages at positions below base().bytes; -1 where the image is whole.
  int basePagesFd() const { return basePages_.get(); }
  const PageBase& base() const { return tables_.base; }
  // What a delta against this image has as its base: this image's own, or the image itself.
  PageBase baseForDelta() const;
  // A descriptor of that base's pages.
  int baseForDeltaFd() const { return tables_.base.bytes ? basePages_.get() : pages_.get(); }

 private:
  void readRecords(const std::string& bytes);
  void openPages();
  void openBase();

  std::string directory_;
  State state_;
  std::string meta_;
  PageTables tables_;
  UniqueFd pages_, basePages_;
};

}  // namespace appshot
