#include "core/restore/inherited_pages.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "core/image/image.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

// Fewer are quicker taken by faults (16 a time) than by a mapping with a history in each clone.
constexpr uint64_t kWorthIt = 32;

// A page that was saved with the image is none of a file's: letting go of it would lose it.
bool isOfFile(int pagemap, uint64_t address) {
  constexpr uint64_t kFile = 1ull << 61, kSwapped = 1ull << 62, kPresent = 1ull << 63;  // Documentation/admin-guide/mm/pagemap.rst
  uint64_t entry = kSwapped;
  if (::pread(pagemap, &entry, sizeof entry, static_cast<off_t>(address / kPageSize * 8)) != sizeof entry) return false;
  return entry & kPresent ? entry & kFile : !(entry & kSwapped);
}

bool isUnwrittenFile(const MapLine& line) { return line.perms[0] == 'r' && line.perms[1] == '-' && line.perms[3] == 'p' && line.inode != 0; }

// Writes past the mapping's protection, as a debugger does for a breakpoint: nothing else of the mapping changes.
void writeBack(int memory, uint64_t address) {
  char byte;
  auto at = static_cast<off_t>(address);
  if (sys("read the zygote's memory", [&] { return ::pread(memory, &byte, 1, at); }) != 1) throw Error("internal", "the zygote's memory cannot be read");
  if (sys("write the zygote's memory", [&] { return ::pwrite(memory, &byte, 1, at); }) != 1) throw Error("internal", "the zygote's memory cannot be written");
}

}  // namespace

std::vector<PrefaultRun> inheritedByFork(pid_t zygote, const std::vector<PrefaultRun>& read) {
  std::string who = std::to_string(zygote);
  UniqueFd memory = sysFd("open the zygote's memory", [&] { return ::open(("/proc/" + who + "/mem").c_str(), O_RDWR | O_CLOEXEC); });
  UniqueFd pagemap = sysFd("open the zygote's page map", [&] { return ::open(("/proc/" + who + "/pagemap").c_str(), O_RDONLY | O_CLOEXEC); });
  std::vector<PrefaultRun> todo;
  auto run = read.begin();
  for (const MapLine& line : readMaps(who)) {
    uint64_t pages = 0, page = 0;
    for (; run != read.end() && run->address < line.end; ++run) {
      if (run->address < line.start) continue;
      pages += run->pages;
      if (page == 0 && isOfFile(pagemap.get(), run->address)) page = run->address;
    }
    if (!isUnwrittenFile(line) || pages < kWorthIt || page == 0) continue;
    writeBack(memory.get(), page);
    todo.push_back({page, 1, MADV_DONTNEED});
  }
  todo.insert(todo.end(), read.begin(), read.end());
  return todo;
}

}  // namespace appshot
