#include "core/snapshot/earlier_pages.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "core/image/shared_runs.h"

namespace appshot {

namespace {

// What a page file may hold that its newest image does not need, beside as much again as that image has there: then a new one is begun.
constexpr uint64_t kUnusedBytes = 16 << 20;

template <typename Visit>
void forEachRun(const State& state, Visit&& visit) {
  for (const Process& process : state.processes)
    for (const PageRun& run : process.runs) visit(run);
  forEachSharedRun(state, visit);
}

// How much of its own page file an image needs.
uint64_t deltaBytesOf(const Image& image) {
  uint64_t bytes = 0;
  forEachRun(image.state(), [&](const PageRun& run) { bytes += run.position >= image.base().bytes ? run.pages * kPageSize : 0; });
  return bytes;
}

bool isWorthAppending(const Image& image) {
  struct stat status {};
  if (image.base().bytes == 0 || ::fstat(image.pagesFd(), &status) != 0) return false;
  uint64_t needed = deltaBytesOf(image), all = static_cast<uint64_t>(status.st_size) - image.base().bytes;
  return all <= needed + std::max(needed, kUnusedBytes);
}

bool linkInto(const std::string& place, int fd) {
  std::string from = "/proc/self/fd/" + std::to_string(fd);
  return ::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, place.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

}  // namespace

EarlierPages::EarlierPages(std::shared_ptr<const Image> image, bool withDelta) : image_(std::move(image)), withDelta_(withDelta), base_(image_->baseForDelta()) {
  for (const Process& process : image_->state().processes) {
    std::vector<PageRun>& runs = runs_[process.pid];
    for (const PageRun& run : process.runs)
      if (withDelta_ || run.position < base_.bytes) runs.push_back(run);
    std::sort(runs.begin(), runs.end(), [](const PageRun& a, const PageRun& b) { return a.address < b.address; });
  }
}

const std::vector<PageRun>& EarlierPages::runsOf(int32_t vpid) const {
  static const std::vector<PageRun> none;
  auto found = runs_.find(vpid);
  return found == runs_.end() ? none : found->second;
}

std::vector<PageSegment> EarlierPages::segmentsUsedBy(const State& state) const {
  std::vector<PageSegment> used;
  if (!withDelta_) return used;
  const std::vector<PageSegment>& segments = image_->segments();
  std::vector<bool> isUsed(segments.size());
  forEachRun(state, [&](const PageRun& run) {
    auto segment = std::upper_bound(segments.begin(), segments.end(), run.position, [](uint64_t at, const PageSegment& one) { return at < one.to; });
    for (; segment != segments.end() && segment->from < run.position + run.pages * kPageSize; ++segment) isUsed[static_cast<size_t>(segment - segments.begin())] = true;
  });
  for (size_t i = 0; i < segments.size(); i++)
    if (isUsed[i]) used.push_back(segments[i]);
  return used;
}

LinkedPages linkEarlierPages(const std::shared_ptr<const Image>& image, const std::string& directory, bool mayAppend) {
  LinkedPages linked;
  if (!image || !linkInto(directory + "/base.bin", image->baseForDeltaFd())) return linked;
  std::string pages = directory + "/pages.bin";
  if (mayAppend && isWorthAppending(*image) && linkInto(pages, image->pagesFd())) {
    linked.file = openToAppend(pages);
    if (!linked.file.valid()) ::unlink(pages.c_str());
  }
  linked.earlier.emplace(image, linked.file.valid());
  return linked;
}

}  // namespace appshot
