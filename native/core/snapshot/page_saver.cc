#include "core/snapshot/page_saver.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "core/sys/sys.h"

namespace appshot {

static constexpr uint64_t kNotThere = ~0ull;

BasePages::BasePages(std::shared_ptr<const Image> image) : image_(std::move(image)), identity_(image_->baseForDelta()) {
  for (const Process& process : image_->state().processes) {
    std::vector<PageRun>& runs = runs_[process.pid];
    for (const PageRun& run : process.runs)
      if (run.position < identity_.bytes) runs.push_back(run);
    std::sort(runs.begin(), runs.end(), [](const PageRun& a, const PageRun& b) { return a.address < b.address; });
  }
}

const std::vector<PageRun>& BasePages::runsOf(int32_t vpid) const {
  static const std::vector<PageRun> none;
  auto found = runs_.find(vpid);
  return found == runs_.end() ? none : found->second;
}

void PageSaver::begin(int32_t vpid, std::vector<uint64_t> borders) {
  borders_ = std::move(borders);
  nextBorder_ = 0;
  baseRuns_ = base_ ? &base_->runsOf(vpid) : nullptr;
  nextBaseRun_ = 0;
  runs_.clear();
}

void PageSaver::take(const std::vector<iovec>& pieces, char* bytes) {
  size_t kept = 0, at = 0;
  uint64_t position = pages_.position();
  for (const iovec& piece : pieces) {
    auto address = reinterpret_cast<uint64_t>(piece.iov_base);
    compare(address, bytes + at, piece.iov_len);
    for (size_t page = 0; page < piece.iov_len / kPageSize; page++, at += kPageSize) {
      if (found_[page] != kNotThere) {
        add(address + page * kPageSize, found_[page]);
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

void PageSaver::add(uint64_t address, uint64_t position) {
  while (nextBorder_ < borders_.size() && borders_[nextBorder_] < address) nextBorder_++;
  // A restore treats each range of memory by itself.
  bool isBorder = nextBorder_ < borders_.size() && borders_[nextBorder_] == address;
  if (!runs_.empty()) {
    PageRun& last = runs_.back();
    uint64_t bytes = last.pages * kPageSize;
    // A run is never partly in the base and partly not.
    bool crosses = isBorder || (base_ && position == base_->identity().bytes);
    if (last.address + bytes == address && last.position + bytes == position && !crosses) {
      last.pages++;
      return;
    }
  }
  runs_.push_back({address, 1, position});
}

void PageSaver::compare(uint64_t address, const char* bytes, size_t count) {
  found_.assign(count / kPageSize, kNotThere);
  if (!baseRuns_) return;
  const std::vector<PageRun>& runs = *baseRuns_;
  while (nextBaseRun_ < runs.size() && runs[nextBaseRun_].address + runs[nextBaseRun_].pages * kPageSize <= address) nextBaseRun_++;
  for (size_t i = nextBaseRun_; i < runs.size() && runs[i].address < address + count; i++) {
    uint64_t from = std::max(address, runs[i].address), to = std::min(address + count, runs[i].address + runs[i].pages * kPageSize);
    uint64_t position = runs[i].position + (from - runs[i].address);
    baseBytes_.resize(std::max<size_t>(baseBytes_.size(), to - from));
    // Not mapped: a base that is cut off under our hands would kill us.
    ssize_t n = sys("read the base of a delta", [&] { return ::pread(base_->fd(), baseBytes_.data(), to - from, static_cast<off_t>(position)); });
    uint64_t there = static_cast<uint64_t>(n) / kPageSize * kPageSize;
    for (uint64_t done = 0; done < there; done += kPageSize)
      if (std::memcmp(bytes + (from - address) + done, baseBytes_.data() + done, kPageSize) == 0) found_[(from - address + done) / kPageSize] = position + done;
  }
}

}  // namespace appshot
