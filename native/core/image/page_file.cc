#include "core/image/page_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <tuple>

#include "core/image/crc32c.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

// Files whose contents were checked or written by this process, known again by identity and modification time: any write changes
// the latter. (The change time would not do: a delta's link to its base changes it.)
class VerifiedFiles {
 public:
  static bool contains(int fd) {
    std::lock_guard lock(mutex_);
    return known_.count(identityOf(fd)) > 0;
  }
  static void add(int fd) {
    std::lock_guard lock(mutex_);
    if (known_.size() > 4096) known_.clear();
    known_.insert(identityOf(fd));
  }

 private:
  using Identity = std::tuple<dev_t, ino_t, off_t, int64_t, int64_t>;
  static Identity identityOf(int fd) {
    struct stat status{};
    sys("stat pages.bin", [&] { return ::fstat(fd, &status); });
    return {status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
  }
  static inline std::mutex mutex_;
  static inline std::set<Identity> known_;
};

}  // namespace

PageWriter::PageWriter(const std::string& path, uint64_t start)
    : fd_(sysFd("create " + path, [&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600); })), start_(start), position_(start) {
  sys("size " + path, [&] { return ::ftruncate(fd_.get(), static_cast<off_t>(start)); });
  sys("seek in " + path, [&] { return ::lseek(fd_.get(), static_cast<off_t>(start), SEEK_SET); });
}

void PageWriter::startOver(uint64_t keep) {
  std::string kept(keep, '\0');
  sys("read pages back", [&] { return ::pread(fd_.get(), kept.data(), keep, static_cast<off_t>(start_)); });
  sys("cut pages.bin", [&] { return ::ftruncate(fd_.get(), 0); });
  sys("seek in pages.bin", [&] { return ::lseek(fd_.get(), 0, SEEK_SET); });
  start_ = position_ = inChunk_ = 0;
  sum_ = 0;
  sums_.clear();
  append(kept.data(), kept.size());
}

void PageWriter::append(const void* pages, size_t bytes) {
  writeAll(fd_.get(), pages, bytes, "write pages of the image");
  position_ += bytes;
  auto* at = static_cast<const char*>(pages);
  while (bytes > 0) {
    size_t part = std::min<uint64_t>(bytes, kChunkBytes - inChunk_);
    sum_ = crc32c(at, part, sum_);
    inChunk_ += part;
    at += part;
    bytes -= part;
    if (inChunk_ == kChunkBytes) {
      sums_.push_back(sum_);
      sum_ = 0;
      inChunk_ = 0;
    }
  }
}

const std::vector<uint32_t>& PageWriter::chunkSums() {
  if (inChunk_ > 0) {
    sums_.push_back(sum_);
    sum_ = 0;
    inChunk_ = 0;
  }
  return sums_;
}

void PageWriter::trust() const { VerifiedFiles::add(fd_.get()); }

void verifyChunks(int fd, std::pair<uint64_t, uint64_t> range, const std::vector<uint32_t>& sums, const std::string& what) {
  if (VerifiedFiles::contains(fd)) return;
  std::string buffer(kChunkBytes, '\0');
  uint64_t at = range.first;
  for (size_t chunk = 0; chunk < sums.size(); chunk++) {
    uint64_t bytes = std::min(kChunkBytes, range.second - at);
    ssize_t n = sys("read " + what, [&] { return ::pread(fd, buffer.data(), bytes, static_cast<off_t>(at)); });
    if (static_cast<uint64_t>(n) != bytes || crc32c(buffer.data(), bytes) != sums[chunk])
      throw Error("image-invalid", what + ": the checksum of chunk " + std::to_string(chunk) + " (bytes " + std::to_string(at) + " on) is wrong");
    at += bytes;
  }
  VerifiedFiles::add(fd);
}

}  // namespace appshot
