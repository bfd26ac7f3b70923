// A small image with something of everything, for the tests and the fuzzer.
#pragma once

#include <string>

#include "core/image/image.h"

namespace appshot {

State seedState();

// Writes it into an empty directory. Its pages.bin has kSeedPages pages.
inline constexpr uint64_t kSeedPages = 4;
void writeSeedImage(const std::string& directory, const State& state = seedState(), const PageBase& base = {});
// The same with its pages compressed.
void writeSeedCompressed(const std::string& directory);
// A delta against a seed image that is gone by then, as that of an instance which slept before. Returns what it has of it.
PageBase writeSeedDelta(const std::string& directory);

// Why the image's pages are refused as `image-invalid`; empty where they are not.
std::string pagesRefusal(const std::string& directory);

// Gives a file these contents. Not by O_TRUNC, after which ext4 writes to the disk when the file is closed.
void overwrite(const std::string& path, const std::string& bytes);

// A directory of its own below TMPDIR, removed with its contents in the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace appshot
