#include "core/snapshot/likely_pages.h"

#include <algorithm>

#include "core/fill/lazy_ranges.h"
#include "core/image/page_file.h"

namespace appshot {

namespace {

struct Range {
  uint32_t pid = 0;
  uint64_t pages = 0;
  std::vector<PageRun> runs;
};

void addRanges(std::vector<Range>& ranges, const Process& process) {
  auto run = process.runs.begin();
  for (const Vma& vma : process.vmas) {
    Range range{static_cast<uint32_t>(process.pid), 0, {}};
    for (; run != process.runs.end() && run->address < vma.end; ++run) {
      range.pages += run->pages;
      range.runs.push_back(*run);
    }
    if (range.pages > 0 && mayBeLazy(process, vma)) ranges.push_back(std::move(range));
  }
}

// 4 MiB.
constexpr uint64_t kMostLastWritten = 1024;

void addPages(std::vector<TouchedPage>& pages, uint32_t pid, const PageRun& run) {
  for (uint64_t i = 0; i < run.pages; i++) pages.push_back({pid, 0, run.address + i * kPageSize, kGuessedRank + static_cast<uint32_t>(pages.size())});
}

}  // namespace

std::vector<TouchedPage> likelyPages(const State& state) {
  std::vector<Range> ranges;
  for (const Process& process : state.processes) addRanges(ranges, process);
  std::stable_sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.pages < b.pages; });
  std::vector<TouchedPage> pages;
  for (const Range& range : ranges) {
    if (pages.size() + range.pages > kMostGuessed) break;
    for (const PageRun& run : range.runs) addPages(pages, range.pid, run);
  }
  return pages;
}

std::vector<TouchedPage> lastWritten(const State& state, uint64_t from) {
  std::vector<TouchedPage> pages;
  for (const Process& process : state.processes)
    for (const PageRun& run : process.runs) {
      if (run.position < from) continue;
      addPages(pages, static_cast<uint32_t>(process.pid), run);
      if (pages.size() > kMostLastWritten) return {};
    }
  return pages;
}

}  // namespace appshot
