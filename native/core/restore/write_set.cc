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

// linux/mman.h since 5.14; old headers lack them.
constexpr uint32_t kPopulateRead = 22, kPopulateWrite = 23;

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

// A page that most have written is given to each; one that few have written is only made readable, which costs no memory.
std::vector<PrefaultRun> WriteSet::runs(int32_t vpid, Want want) const {
  std::vector<PrefaultRun> runs;
  auto found = pages_.find(vpid);
  if (found == pages_.end() || !isSettled()) return runs;
  for (auto [address, writers] : found->second) {
    uint32_t advice = writers * 2 > looks_ ? kPopulateWrite : kPopulateRead;
    if ((want == Want::kWritten && advice != kPopulateWrite) || (want == Want::kOnlyRead && advice != kPopulateRead)) continue;
    bool follows = !runs.empty() && runs.back().address + runs.back().pages * kPageSize == address && runs.back().advice == advice;
    if (follows) runs.back().pages++;
    else runs.push_back({address, 1, advice});
  }
  return runs;
}

UniqueFd listOfPages(const std::vector<std::vector<PrefaultRun>>& processes) {
  PrefaultHeader header{};
  std::vector<PrefaultRun> all;
  for (size_t i = 0; i < processes.size() && i < std::size(header.first); i++) {
    header.first[i] = static_cast<uint32_t>(all.size());
    header.count[i] = static_cast<uint32_t>(processes[i].size());
    all.insert(all.end(), processes[i].begin(), processes[i].end());
  }
  UniqueFd fd = sysFd("make a list of pages", [] { return ::memfd_create("appshot-prefault", MFD_CLOEXEC); });
  writeAll(fd.get(), &header, sizeof header, "write a list of pages");
  writeAll(fd.get(), all.data(), all.size() * sizeof(PrefaultRun), "write a list of pages");
  return fd;
}

}  // namespace appshot
