#include "core/snapshot/page_uses.h"

#include <algorithm>

#include "core/fill/lazy_ranges.h"
#include "core/image/page_file.h"

namespace appshot {

namespace {

uint64_t endOf(const PageRun& run) { return run.address + run.pages * kPageSize; }

const std::vector<uint64_t>& of(const std::map<uint32_t, std::vector<uint64_t>>& pages, int32_t pid) {
  static const std::vector<uint64_t> none;
  auto found = pages.find(static_cast<uint32_t>(pid));
  return found == pages.end() ? none : found->second;
}

// The pages of `run` that are among `wanted`.
void addChosen(std::vector<PageRun>& runs, const PageRun& run, const std::vector<uint64_t>& wanted) {
  // What is added is part of one run: the next may have to be read in another way.
  const size_t before = runs.size();
  for (auto page = std::lower_bound(wanted.begin(), wanted.end(), run.address); page != wanted.end() && *page < endOf(run); ++page) {
    if (runs.size() > before && endOf(runs.back()) == *page) runs.back().pages++;
    else runs.push_back({*page, 1, 0});
  }
}

// All but those.

void addOthers(std::vector<PageRun>& runs, const PageRun& run, const std::vector<uint64_t>& first, const std::vector<uint64_t>& later) {
  auto a = std::lower_bound(first.begin(), first.end(), run.address), b = std::lower_bound(later.begin(), later.end(), run.address);
  for (uint64_t at = run.address; at < endOf(run);) {
    uint64_t next = std::min({endOf(run), a == first.end() ? UINT64_MAX : *a, b == later.end() ? UINT64_MAX : *b});
    if (next > at) runs.push_back({at, (next - at) / kPageSize, 0});
    if (a != first.end() && *a == next) ++a;
    if (b != later.end() && *b == next) ++b;
    at = next + kPageSize;
  }
}

}  // namespace

PageUses::PageUses(const std::vector<TouchedPage>& workingSet) {
  for (const TouchedPage& page : workingSet) {
    if (page.rank >= kGuessedRank) continue;
    Addresses& first = first_[page.pid];
    (first.size() < kFirstPages ? first : later_[page.pid]).push_back(page.address);
  }
  for (auto* pages : {&first_, &later_})
    for (auto& [pid, addresses] : *pages) std::sort(addresses.begin(), addresses.end());
}

std::vector<PageRun> PageUses::runsOf(const Process& process, PageUse use) const {
  const Addresses &first = of(first_, process.pid), &later = of(later_, process.pid);
  std::vector<PageRun> runs;
  auto vma = process.vmas.begin();
  bool isLazy = false;
  auto seen = process.vmas.end();
  for (const PageRun& run : process.runs) {
    while (vma != process.vmas.end() && vma->end <= run.address) ++vma;
    if (vma != seen) isLazy = vma != process.vmas.end() && mayBeLazy(process, *vma);
    seen = vma;
    if (use == PageUse::First && !isLazy) runs.push_back(run);
    if (!isLazy) continue;
    if (use == PageUse::First) addChosen(runs, run, first);
    else if (use == PageUse::Later) addChosen(runs, run, later);
    else addOthers(runs, run, first, later);
  }
  return runs;
}

std::vector<PageRun> arrangeRuns(std::vector<PageRun> runs, const std::vector<uint64_t>& borders, uint64_t baseBytes) {
  std::sort(runs.begin(), runs.end(), [](const PageRun& a, const PageRun& b) { return a.address < b.address; });
  std::vector<PageRun> arranged;
  auto border = borders.begin();
  for (PageRun run : runs)
    while (run.pages > 0) {
      while (border != borders.end() && *border <= run.address) ++border;
      uint64_t pages = border == borders.end() ? run.pages : std::min(run.pages, (*border - run.address) / kPageSize);
      bool isApart = (border != borders.begin() && *std::prev(border) == run.address) || run.position == baseBytes;
      bool follows = !arranged.empty() && endOf(arranged.back()) == run.address && arranged.back().position + arranged.back().pages * kPageSize == run.position;
      if (follows && !isApart) arranged.back().pages += pages;
      else arranged.push_back({run.address, pages, run.position});
      run = {run.address + pages * kPageSize, run.pages - pages, run.position + pages * kPageSize};
    }
  return arranged;
}

}  // namespace appshot
