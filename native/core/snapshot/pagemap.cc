#include "core/snapshot/pagemap.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <string>

#include "core/sys/sys.h"

namespace appshot {

namespace {

// uapi/linux/fs.h since 6.7; spelled out because Debian 12's headers are older.
struct PmRegion {
  uint64_t start, end, categories;
};
struct PmScan {
  uint64_t size, flags, start, end, walkEnd, vec, vecLength, maxPages, categoryInverted, categoryMask, categoryAnyOf, returnMask;
};
constexpr uint64_t kFile = 1 << 2, kPresent = 1 << 3, kSwapped = 1 << 4, kZero = 1 << 5;
#define APPSHOT_PAGEMAP_SCAN _IOWR('f', 16, PmScan)

void add(std::vector<PageRange>& ranges, uint64_t start, uint64_t end) {
  if (!ranges.empty() && ranges.back().end == start) {
    ranges.back().end = end;
  } else {
    ranges.push_back({start, end});
  }
}

bool scan(int fd, uint64_t start, uint64_t end, std::vector<PageRange>& ranges) {
  std::vector<PmRegion> found(2048);
  while (start < end) {
    PmScan scan{sizeof scan, 0, start, end, 0, reinterpret_cast<uint64_t>(found.data()), found.size(), 0,
                kFile | kZero, kFile | kZero, kPresent | kSwapped, kPresent | kSwapped};
    int n = ::ioctl(fd, APPSHOT_PAGEMAP_SCAN, &scan);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == ENOTTY || errno == EINVAL) return false;
      throwErrno("scan the page map", errno);
    }
    for (int i = 0; i < n; i++) add(ranges, found[static_cast<size_t>(i)].start, found[static_cast<size_t>(i)].end);
    if (static_cast<uint64_t>(n) < found.size()) break;
    // Not walkEnd: the kernel collects 512 regions at a time and may leave it where it last went on, before regions that it gives.
    start = found.back().end;
  }
  return true;
}

void readEntries(int fd, uint64_t start, uint64_t end, std::vector<PageRange>& ranges) {
  std::vector<uint64_t> entries(4096);
  while (start < end) {
    uint64_t pages = std::min<uint64_t>(entries.size(), (end - start) / 4096);
    ssize_t n = sys("read the page map", [&] { return ::pread(fd, entries.data(), pages * 8, static_cast<off_t>(start / 4096 * 8)); });
    if (n <= 0) return;
    for (ssize_t i = 0; i < n / 8; i++) {
      uint64_t entry = entries[static_cast<size_t>(i)];
      bool there = (entry >> 63 & 1) || (entry >> 62 & 1), file = entry >> 61 & 1;
      uint64_t address = start + static_cast<uint64_t>(i) * 4096;
      if (there && !file) add(ranges, address, address + 4096);
    }
    start += static_cast<uint64_t>(n) / 8 * 4096;
  }
}

}  // namespace

std::vector<PageRange> privatePages(pid_t pid, uint64_t start, uint64_t end) {
  std::string path = "/proc/" + std::to_string(pid) + "/pagemap";
  UniqueFd fd = sysFd("open " + path, [&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
  std::vector<PageRange> ranges;
  if (!scan(fd.get(), start, end, ranges)) {
    ranges.clear();
    readEntries(fd.get(), start, end, ranges);
  }
  return ranges;
}

}  // namespace appshot
