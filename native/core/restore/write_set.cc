#include "core/restore/write_set.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "core/image/image.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"
#include "restorer/tape.h"

namespace appshot {

namespace {

// 8 MiB of its own a process, and 64 MiB of files: who touches more than that to answer one request has it cheaper than its work.
constexpr size_t kMostWritten = 2048, kMostRead = 16384;
constexpr uint64_t kMostOfOneMapping = 256ull << 20;

// Documentation/admin-guide/mm/pagemap.rst
constexpr uint64_t kExclusive = 1ull << 56, kFileOrShared = 1ull << 61, kPresent = 1ull << 63;

bool isWorthALook(const MapLine& line) {
  bool isPrivate = line.perms[3] == 'p', isReachable = line.perms[0] == 'r';
  // The kernel's own pages, and reservations, of which nearly nothing is there.
  return isPrivate && isReachable && line.path != "[vdso]" && line.path.compare(0, 5, "[vvar") != 0 && line.path != "[vsyscall]" &&
         line.end - line.start <= kMostOfOneMapping;
}

// A page that most have written is given to each; one that few have written is only made readable, which costs no memory.
std::vector<PrefaultRun> runsOf(const std::map<uint64_t, int>& pages, int looks) {
  std::vector<PrefaultRun> runs;
  for (auto [address, writers] : pages) {
    bool written = writers * 2 > looks;
    bool follows = !runs.empty() && runs.back().address + runs.back().pages * kPageSize == address && runs.back().write == (written ? 1u : 0u);
    if (follows) runs.back().pages++;
    else runs.push_back({address, 1, written ? 1u : 0u});
  }
  return runs;
}

}  // namespace

void WriteSet::add(int32_t vpid, pid_t pid) {
  std::string who = std::to_string(pid);
  UniqueFd pagemap(::open(("/proc/" + who + "/pagemap").c_str(), O_RDONLY | O_CLOEXEC));
  if (!pagemap.valid()) return;
  Pages& known = pages_[vpid];
  size_t written = 0, read = 0;
  std::vector<uint64_t> entries;
  for (const MapLine& line : readMaps(who)) {
    if (!isWorthALook(line)) continue;
    entries.resize((line.end - line.start) / kPageSize);
    ssize_t n = ::pread(pagemap.get(), entries.data(), entries.size() * 8, static_cast<off_t>(line.start / kPageSize * 8));
    for (ssize_t i = 0; i < n / 8; i++) {
      uint64_t entry = entries[static_cast<size_t>(i)];
      bool isFile = entry & kFileOrShared, isOwn = !isFile && (entry & kExclusive);
      if (!(entry & kPresent) || !(isFile || isOwn)) continue;
      if (isOwn ? written++ < kMostWritten : read++ < kMostRead) known[line.start + static_cast<uint64_t>(i) * kPageSize] += isOwn;
    }
  }
}

size_t WriteSet::size() const {
  size_t size = 0;
  if (!isSettled()) return size;
  for (const auto& [vpid, pages] : pages_) size += pages.size();
  return size;
}

UniqueFd WriteSet::toMemfd(const State& state) const {
  PrefaultHeader header{};
  std::vector<PrefaultRun> all;
  for (size_t i = 0; i < state.processes.size() && i < std::size(header.first); i++) {
    auto found = pages_.find(state.processes[i].pid);
    if (found == pages_.end() || !isSettled()) continue;
    std::vector<PrefaultRun> runs = runsOf(found->second, looks_);
    header.first[i] = static_cast<uint32_t>(all.size());
    header.count[i] = static_cast<uint32_t>(runs.size());
    all.insert(all.end(), runs.begin(), runs.end());
  }
  UniqueFd fd = sysFd("make a list of pages", [] { return ::memfd_create("appshot-prefault", MFD_CLOEXEC); });
  writeAll(fd.get(), &header, sizeof header, "write a list of pages");
  writeAll(fd.get(), all.data(), all.size() * sizeof all[0], "write a list of pages");
  return fd;
}

}  // namespace appshot
