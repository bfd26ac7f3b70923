#include "core/snapshot/page_saver.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "core/sys/sys.h"

namespace appshot {

static constexpr uint64_t kNotThere = ~0ull;
// Of unchanged pages, with one snapshot: the others follow with the next ones. (What a program needs first may be others each time.)
static constexpr uint64_t kMostTakenAlong = 256;

void PageSaver::begin(int32_t vpid, bool together) {
  together_ = together;
  earlierRuns_ = earlier_ ? &earlier_->runsOf(vpid) : nullptr;
  nextEarlierRun_ = 0;
  runs_.clear();
}

void PageSaver::take(const std::vector<iovec>& pieces, char* bytes) {
  size_t kept = 0, at = 0;
  uint64_t position = pages_.position();
  for (const iovec& piece : pieces) {
    auto address = reinterpret_cast<uint64_t>(piece.iov_base);
    compare(address, bytes + at, piece.iov_len);
    for (size_t page = 0; page < piece.iov_len / kPageSize; page++, at += kPageSize) {
      if (!isToBeTaken(found_[page])) {
        add(address + page * kPageSize, found_[page]);
        if (found_[page] >= baseBytes()) own_ += kPageSize;
        continue;
      }
      add(address + page * kPageSize, position + kept);
      if (kept != at) std::memmove(bytes + kept, bytes + at, kPageSize);
      kept += kPageSize;
    }
  }
  own_ += kept;
  pages_.append(bytes, kept);
}

bool PageSaver::isToBeTaken(uint64_t found) {
  if (found == kNotThere) return true;
  bool isScattered = together_ && found < baseBytes() && found >= earlier_->base().firstBytes;
  return isScattered && takenAlong_++ < kMostTakenAlong;
}

void PageSaver::add(uint64_t address, uint64_t position) {
  bool follows = !runs_.empty() && runs_.back().address + runs_.back().pages * kPageSize == address &&
                 runs_.back().position + runs_.back().pages * kPageSize == position;
  // A run is never partly in the base and partly not.
  if (follows && position != baseBytes()) runs_.back().pages++;
  else runs_.push_back({address, 1, position});
}

void PageSaver::compare(uint64_t address, const char* bytes, size_t count) {
  found_.assign(count / kPageSize, kNotThere);
  if (!earlierRuns_) return;
  const std::vector<PageRun>& runs = *earlierRuns_;
  while (nextEarlierRun_ < runs.size() && runs[nextEarlierRun_].address + runs[nextEarlierRun_].pages * kPageSize <= address) nextEarlierRun_++;
  for (size_t i = nextEarlierRun_; i < runs.size() && runs[i].address < address + count; i++) {
    uint64_t from = std::max(address, runs[i].address), to = std::min(address + count, runs[i].address + runs[i].pages * kPageSize);
    uint64_t position = runs[i].position + (from - runs[i].address);
    earlierBytes_.resize(std::max<size_t>(earlierBytes_.size(), to - from));
    // Not mapped: a file that is cut off under our hands would kill us.
    ssize_t n = sys("read pages of the image before", [&] { return ::pread(earlier_->fdOf(position), earlierBytes_.data(), to - from, static_cast<off_t>(position)); });
    uint64_t there = static_cast<uint64_t>(n) / kPageSize * kPageSize;
    for (uint64_t done = 0; done < there; done += kPageSize)
      if (std::memcmp(bytes + (from - address) + done, earlierBytes_.data() + done, kPageSize) == 0) found_[(from - address + done) / kPageSize] = position + done;
  }
}

}  // namespace appshot
