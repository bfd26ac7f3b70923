#include "core/image/page_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "core/image/crc32c.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

UniqueFd createPages(const std::string& path) {
  return sysFd("create " + path, [&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600); });
}

void cut(int fd, uint64_t bytes) {
  sys("size pages of an image", [&] { return ::ftruncate(fd, static_cast<off_t>(bytes)); });
  sys("seek in pages of an image", [&] { return ::lseek(fd, static_cast<off_t>(bytes), SEEK_SET); });
}

// A crash may have left part of a page there.
uint64_t wholePagesOf(int fd) {
  struct stat status {};
  sys("stat pages of an image", [&] { return ::fstat(fd, &status); });
  return (static_cast<uint64_t>(status.st_size) + kPageSize - 1) / kPageSize * kPageSize;
}

}  // namespace

PageWriter::PageWriter(const std::string& path, uint64_t start) : path_(path), fd_(createPages(path)), start_(start), position_(start), firstTo_(start) { cut(fd_.get(), start); }

PageWriter::PageWriter(const std::string& path, UniqueFd file)
    : path_(path), fd_(std::move(file)), isShared_(true), before_(verifiedRanges(fd_.get())), start_(wholePagesOf(fd_.get())), position_(start_), firstTo_(start_) {
  sys("seek in pages of an image", [&] { return ::lseek(fd_.get(), static_cast<off_t>(start_), SEEK_SET); });
}

PageWriter::~PageWriter() {
  try {
    if (isShared_ && !isKept_) giveBack();
  } catch (const Error&) {
    // A tail that no image refers to: it takes disk until the file is written anew.
  }
}

void PageWriter::giveBack() {
  cut(fd_.get(), start_);
  setVerified(fd_.get(), before_);
}

void PageWriter::startOver(uint64_t start, uint64_t keep) {
  std::string kept(keep, '\0');
  sys("read pages back", [&] { return ::pread(fd_.get(), kept.data(), keep, static_cast<off_t>(start_)); });
  if (isShared_) giveBack();
  isShared_ = false;
  sys("remove " + path_, [&] { return ::unlink(path_.c_str()); });
  fd_ = createPages(path_);
  cut(fd_.get(), start);
  start_ = position_ = firstTo_ = start;
  sum_ = 0;
  inChunk_ = 0;
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
    if (inChunk_ == kChunkBytes) endChunk();
  }
}

void PageWriter::endChunk() {
  if (inChunk_ == 0) return;
  sums_.push_back(sum_);
  sum_ = 0;
  inChunk_ = 0;
}

PageSegment PageWriter::segment() {
  endChunk();
  return {start_, position_, firstTo_, sums_};
}

void PageWriter::keep() {
  isKept_ = true;
  before_.insert({start_, position_});
  setVerified(fd_.get(), before_);
}

UniqueFd openToAppend(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.valid() || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0 || verifiedRanges(fd.get()).empty()) return {};
  return fd;
}

void verifySegment(int fd, const PageSegment& segment, const std::string& what) {
  if (verifiedRanges(fd).count({segment.from, segment.to})) return;
  std::string buffer(kChunkBytes, '\0');
  uint64_t at = segment.from;
  for (size_t chunk = 0; chunk < segment.sums.size(); chunk++) {
    uint64_t bytes = std::min(kChunkBytes, segment.to - at);
    ssize_t n = sys("read " + what, [&] { return ::pread(fd, buffer.data(), bytes, static_cast<off_t>(at)); });
    if (static_cast<uint64_t>(n) != bytes || crc32c(buffer.data(), bytes) != segment.sums[chunk])
      throw Error("image-invalid", what + ": the checksum of chunk " + std::to_string(chunk) + " (bytes " + std::to_string(at) + " on) is wrong");
    at += bytes;
  }
  addVerified(fd, {segment.from, segment.to});
}

}  // namespace appshot
