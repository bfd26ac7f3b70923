#include "core/image/check_image.h"

#include <algorithm>
#include <csignal>
#include <set>

#include "core/image/check_file.h"
#include "core/sys/error.h"

namespace appshot {

namespace {

struct Stretch {
  uint64_t from = 0, to = 0;
};

// Where a page run may lie: in the base, or in one or several segments that follow each other.
std::vector<Stretch> stretchesOf(const PageTables& pages) {
  std::vector<Stretch> stretches;
  if (pages.base.bytes) stretches.push_back({0, pages.base.bytes});
  for (const PageSegment& segment : pages.segments) {
    bool goesOn = !stretches.empty() && stretches.back().to == segment.from && segment.from != pages.base.bytes;
    if (goesOn) stretches.back().to = segment.to;
    else stretches.push_back({segment.from, segment.to});
  }
  return stretches;
}

bool isWithin(const std::vector<Stretch>& stretches, const PageRun& run) {
  auto after = std::upper_bound(stretches.begin(), stretches.end(), run.position, [](uint64_t at, const Stretch& one) { return at < one.from; });
  return after != stretches.begin() && run.position <= std::prev(after)->to && run.pages <= (std::prev(after)->to - run.position) / kPageSize;
}

uint64_t chunksOf(uint64_t bytes) { return (bytes + kChunkBytes - 1) / kChunkBytes; }

const char* brokenPartOf(const PageTables& pages) {
  constexpr uint64_t kMost = 1ull << 62;
  if (pages.base.bytes > kMost || pages.base.sums.size() != chunksOf(pages.base.bytes)) return "the number of the base's page checksums is wrong";
  // Another image's base has to be of one piece.
  bool isWhole = pages.base.bytes == 0;
  if (isWhole && (pages.segments.size() > 1 || (pages.segments.size() == 1 && pages.segments[0].from != 0))) return "the pages of a whole image are in several segments";
  uint64_t last = pages.base.bytes;
  for (const PageSegment& segment : pages.segments) {
    if (segment.from < last || segment.to <= segment.from || segment.firstTo < segment.from || segment.firstTo > segment.to || segment.to > kMost || segment.from % kPageSize || segment.to % kPageSize) return "a segment of pages is broken";
    if (segment.sums.size() != chunksOf(segment.to - segment.from)) return "the number of page checksums is wrong";
    last = segment.to;
  }
  return nullptr;
}

}  // namespace

void checkImage(const State& state, const PageTables& pages, const std::string& place) {
  auto require = [&](bool condition, const char* what) {
    if (!condition) throw Error("image-invalid", place + ": " + what);
  };
  constexpr uint64_t kTop = 0x7ffffffff000;
  const char* broken = brokenPartOf(pages);
  require(broken == nullptr, broken ? broken : "");
  std::vector<Stretch> stretches = stretchesOf(pages);
  auto checkRuns = [&](const std::vector<PageRun>& runs, uint64_t limit) {
    for (const PageRun& run : runs) {
      require(run.address % kPageSize == 0 && run.position % kPageSize == 0, "a page run is not aligned");
      require(run.pages <= limit / kPageSize && run.address <= limit - run.pages * kPageSize, "a page run is out of range");
      require(run.pages <= pages.end() / kPageSize && isWithin(stretches, run), "a page run is outside of the page files, or lies across the end of the base");
    }
  };
  std::set<int32_t> pids;
  for (const Process& process : state.processes) {
    require(process.pid > 1 && pids.insert(process.pid).second, "two processes have the same pid");
    require(process.ppid <= 1 || pids.count(process.ppid), "a process stands before its parent");
    require(process.zombie || !process.threads.empty(), "a process has no thread");
    uint64_t last = 0;
    for (const Vma& vma : process.vmas) {
      require(vma.start % kPageSize == 0 && vma.end % kPageSize == 0 && vma.start >= last && vma.start < vma.end && vma.end <= kTop, "a memory range is broken");
      auto kind = static_cast<VmaKind>(vma.kind);
      require(vma.kind <= static_cast<uint32_t>(VmaKind::SysV), "a memory range is of unknown kind");
      if (kind == VmaKind::FilePrivate || kind == VmaKind::FileShared) require(vma.object < state.mappedFiles.size(), "a mapped file is missing");
      if (kind == VmaKind::Shared) require(vma.object < state.sharedMemory.size(), "shared memory is missing");
      last = vma.end;
    }
    checkRuns(process.runs, kTop);
    for (const Descriptor& descriptor : process.descriptors)
      require(descriptor.fd >= 0 && descriptor.fd < (1 << 20) && descriptor.file < state.files.size(), "a descriptor is broken");
    for (const SemaphoreUndo& undo : process.undos) require(undo.adjustment > -32768 && undo.adjustment < 32768, "what a semaphore takes back is broken");
    require(process.stopSignal == 0 || (process.stopSignal >= SIGSTOP && process.stopSignal <= SIGTTOU && !process.zombie), "what stopped a process is broken");
    require(process.exeGhost < static_cast<int64_t>(state.ghosts.size()), "a deleted program is missing");
    for (const Thread& thread : process.threads) require(thread.ownFilters.size() == thread.ownFilterFlags.size(), "the seccomp filters of a thread are broken");
    for (const Thread& thread : process.threads) require(thread.registers.size() == 27 * 8 && thread.xstate.size() >= 576, "the registers of a thread are broken");
  }
  for (const MappedFile& file : state.mappedFiles) require(!file.deleted || file.ghost < state.ghosts.size(), "a deleted file is missing");
  for (const SharedMemory& memory : state.sharedMemory) checkRuns(memory.runs, memory.size + kPageSize);
  for (const IpcObject& object : state.ipc) {
    require(object.kind <= static_cast<uint32_t>(IpcKind::PosixQueue) && object.id >= 0, "a System V object is broken");
    if (object.kind == static_cast<uint32_t>(IpcKind::SharedMemory)) checkRuns(object.runs, (object.size + kPageSize - 1) / kPageSize * kPageSize);
  }
  for (const OpenFile& file : state.files) {
    const char* broken = brokenPartOf(file, state);
    require(broken == nullptr, broken ? broken : "");
  }
}

}  // namespace appshot
