#include "core/snapshot/collect_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <tuple>

#include "core/image/build_id.h"
#include "core/snapshot/descriptor_info.h"
#include "core/snapshot/pagemap.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr std::string_view kDeleted = " (deleted)";

std::string rangeOf(const MapLine& line) {
  char range[40];
  std::snprintf(range, sizeof range, "%lx-%lx", line.start, line.end);
  return range;
}

bool isKernelPage(const MapLine& line) { return line.path == "[vsyscall]"; }

bool isShmem(const MapLine& line) {
  return startsWith(line.path, "/memfd:") || line.path == "/dev/zero (deleted)" || startsWith(line.path, "[anon_shmem");
}

uint32_t adviceOf(const std::string& flags) {
  static constexpr std::pair<const char*, uint32_t> kKnown[] = {
      {" gd ", kAdviceGrowsDown}, {" dc ", kAdviceDontFork}, {" wf ", kAdviceWipeOnFork}, {" dd ", kAdviceDontDump}, {" hg ", kAdviceHugepage},
      {" nh ", kAdviceNoHugepage}, {" mg ", kAdviceMergeable}, {" lo ", kAdviceLocked}, {" nr ", kAdviceNoReserve}, {" sr ", kAdviceSequential},
      {" rr ", kAdviceRandom}};
  uint32_t advice = 0;
  for (const auto& [code, bit] : kKnown)
    if (flags.find(code) != std::string::npos) advice |= bit;
  return advice;
}

// Most instances map the same libraries: looked at once, and not while one stands still.
std::string knownBuildId(const std::string& path, const struct stat& status) {
  static std::mutex mutex;
  static std::map<std::tuple<dev_t, ino_t, int64_t, int64_t>, std::string> known;
  std::tuple identity{status.st_dev, status.st_ino, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
  std::lock_guard lock(mutex);
  if (known.size() > 4096) known.clear();
  auto [at, isNew] = known.try_emplace(identity);
  if (isNew) at->second = buildIdOf(path);
  return at->second;
}

}  // namespace

std::vector<std::string> unsupportedMappings(const std::string& who, const std::vector<MapLine>& maps) {
  std::vector<std::string> names;
  auto refuse = [&](const MapLine& line, const char* what) {
    names.push_back(who + ": memory " + rangeOf(line) + " is " + what + "; not supported");
  };
  for (const MapLine& line : maps) {
    if (startsWith(line.path, "anon_inode:[io_uring]")) refuse(line, "a ring of io_uring");
    else if (startsWith(line.path, "/[aio]")) refuse(line, "a ring of Linux AIO");
    else if (startsWith(line.path, "anon_inode:")) refuse(line, line.path.c_str());
    else if (startsWith(line.path, "/SYSV") && line.offset != 0) refuse(line, "a part of SysV shared memory");
    else if (startsWith(line.path, "/anon_hugepage") || startsWith(line.path, "/dev/hugepages")) refuse(line, "of huge pages (hugetlb)");
    else if (startsWith(line.path, "socket:")) refuse(line, "a mapped socket");
    else if (startsWith(line.path, "/dev/") && !isShmem(line) && !startsWith(line.path, "/dev/shm/")) refuse(line, ("the device " + line.path).c_str());
    else if (line.path == "[uprobes]") refuse(line, "an uprobe");
  }
  return names;
}

uint32_t MemoryCollector::mappedFile(pid_t pid, const MapLine& line) {
  bool writes = line.perms[3] == 's' && line.perms[1] == 'w';
  bool nameless = isNameless(line.path);
  uint32_t ghost = nameless ? ghosts_.ghost({pid, "memory " + rangeOf(line), line.path, "/proc/" + std::to_string(pid) + "/map_files/" + rangeOf(line), writes}) : 0;
  auto [at, isNew] = files_.try_emplace(nameless ? std::to_string(ghost) : line.path, static_cast<uint32_t>(state_.mappedFiles.size()));
  if (isNew && nameless) {
    MappedFile file;
    file.path = state_.ghosts[ghost].path;
    file.deleted = true;
    file.ghost = ghost;
    state_.mappedFiles.push_back(std::move(file));
  } else if (isNew) {
    MappedFile file;
    file.path = line.path;
    struct stat status{};
    std::string path = "/proc/" + std::to_string(pid) + "/root" + line.path;
    sys("stat mapped file " + line.path, [&] { return ::stat(path.c_str(), &status); });
    file.size = static_cast<uint64_t>(status.st_size);
    file.mtimeNs = status.st_mtim.tv_sec * 1'000'000'000ll + status.st_mtim.tv_nsec;
    file.buildId = knownBuildId(path, status);
    state_.mappedFiles.push_back(std::move(file));
  }
  if (writes) state_.mappedFiles[at->second].writable = true;
  return at->second;
}

uint32_t MemoryCollector::sharedObject(uint64_t device, uint64_t inode, const std::string& link, const std::string& path) {
  auto [at, isNew] = shared_.try_emplace({device, inode}, static_cast<uint32_t>(state_.sharedMemory.size()));
  if (isNew) {
    SharedMemory memory;
    memory.memfd = startsWith(link, "/memfd:");
    if (memory.memfd) memory.name = link.substr(7, link.size() - 7 - (endsWith(link, kDeleted) ? kDeleted.size() : 0));
    state_.sharedMemory.push_back(std::move(memory));
    sharedPaths_.push_back(path);
  }
  return at->second;
}

std::vector<Vma> MemoryCollector::collect(pid_t pid, const std::vector<MapLine>& maps, const std::map<uint64_t, std::string>& vmFlags) {
  std::vector<Vma> vmas;
  for (const MapLine& line : maps) {
    if (isKernelPage(line)) continue;
    Vma vma;
    vma.start = line.start;
    vma.end = line.end;
    vma.offset = line.offset;
    vma.prot = (line.perms[0] == 'r' ? PROT_READ : 0) | (line.perms[1] == 'w' ? PROT_WRITE : 0) | (line.perms[2] == 'x' ? PROT_EXEC : 0);
    bool shared = line.perms[3] == 's';
    VmaKind kind;
    if (line.path == "[vdso]") {
      kind = VmaKind::Vdso;
    } else if (startsWith(line.path, "[vvar")) {
      kind = VmaKind::Vvar;
    } else if (isShmem(line)) {
      kind = VmaKind::Shared;
      vma.object = sharedObject(makedev(line.devMajor, line.devMinor), line.inode, line.path, "/proc/" + std::to_string(pid) + "/map_files/" + rangeOf(line));
      // A private mapping of a memfd: reads through to it, writes stay here.
      if (!shared) vma.advice |= kAdvicePrivateShared;
    } else if (startsWith(line.path, "/SYSV")) {
      kind = VmaKind::SysV;
      vma.object = static_cast<uint32_t>(line.inode);  // the kernel shows the segment's id there
    } else if (line.inode == 0 || line.path.empty() || line.path[0] != '/') {
      kind = VmaKind::Anonymous;
      vma.offset = 0;
    } else {
      kind = shared ? VmaKind::FileShared : VmaKind::FilePrivate;
      vma.object = mappedFile(pid, line);
    }
    vma.kind = static_cast<uint32_t>(kind);
    auto flags = vmFlags.find(line.start);
    if (flags != vmFlags.end()) vma.advice |= adviceOf(flags->second);
    if (line.path == "[stack]") vma.advice |= kAdviceGrowsDown;
    vmas.push_back(vma);
  }
  return vmas;
}

void MemoryCollector::saveShared(PageWriter& pages) {
  std::string buffer(kChunkBytes, '\0');
  for (size_t i = 0; i < state_.sharedMemory.size(); i++) {
    SharedMemory& memory = state_.sharedMemory[i];
    UniqueFd fd = sysFd("open shared memory " + memory.name, [&] { return ::open(sharedPaths_[i].c_str(), O_RDONLY | O_CLOEXEC); });
    struct stat status{};
    sys("stat shared memory", [&] { return ::fstat(fd.get(), &status); });
    memory.size = static_cast<uint64_t>(status.st_size);
    if (memory.memfd) memory.seals = static_cast<uint32_t>(std::max(0, ::fcntl(fd.get(), F_GET_SEALS)));
    for (off_t at = 0;;) {
      off_t start = ::lseek(fd.get(), at, SEEK_DATA);
      if (start < 0) break;
      off_t end = ::lseek(fd.get(), start, SEEK_HOLE);
      start &= ~static_cast<off_t>(kPageSize - 1);
      uint64_t bytes = (static_cast<uint64_t>(end - start) + kPageSize - 1) / kPageSize * kPageSize;
      memory.runs.push_back({static_cast<uint64_t>(start), bytes / kPageSize, pages.position()});
      for (uint64_t done = 0; done < bytes;) {
        uint64_t part = std::min<uint64_t>(buffer.size(), bytes - done);
        std::memset(buffer.data(), 0, part);
        sys("read shared memory", [&] { return ::pread(fd.get(), buffer.data(), part, start + static_cast<off_t>(done)); });
        pages.append(buffer.data(), part);
        done += part;
      }
      at = end;
    }
  }
}

std::vector<PageRun> findRuns(pid_t pid, const std::vector<Vma>& vmas) {
  std::vector<PageRun> runs;
  if (vmas.empty()) return runs;
  std::vector<PageRange> ranges = privatePages(pid, vmas.front().start, vmas.back().end);
  size_t at = 0;
  for (const Vma& vma : vmas) {
    auto kind = static_cast<VmaKind>(vma.kind);
    bool ours = kind == VmaKind::Anonymous || kind == VmaKind::FilePrivate || (kind == VmaKind::Shared && (vma.advice & kAdvicePrivateShared));
    while (at < ranges.size() && ranges[at].end <= vma.start) at++;
    for (size_t i = at; ours && i < ranges.size() && ranges[i].start < vma.end; i++) {
      uint64_t start = std::max(ranges[i].start, vma.start), end = std::min(ranges[i].end, vma.end);
      runs.push_back({start, (end - start) / kPageSize, 0});
    }
  }
  return runs;
}

bool copyRuns(pid_t pid, const std::vector<PageRun>& runs, const TakePages& take) {
  if (runs.empty()) return true;
  std::string buffer(kChunkBytes, '\0');
  std::string path = "/proc/" + std::to_string(pid) + "/mem";
  UniqueFd memory = sysFd("open " + path, [&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
  std::vector<iovec> remote;
  size_t filled = 0;
  auto flush = [&] {
    if (filled == 0) return true;
    iovec local{buffer.data(), filled};
    ssize_t n = ::process_vm_readv(pid, &local, 1, remote.data(), remote.size(), 0);
    // Pages without read permission are refused there but not here.
    if (n != static_cast<ssize_t>(filled)) {
      size_t to = 0;
      for (const iovec& part : remote) {
        ssize_t got = sys("read memory of process " + std::to_string(pid),
                          [&] { return ::pread(memory.get(), buffer.data() + to, part.iov_len, static_cast<off_t>(reinterpret_cast<uint64_t>(part.iov_base))); });
        if (static_cast<size_t>(got) != part.iov_len) {
          char range[64];
          std::snprintf(range, sizeof range, " at %lx: %zd of %zu bytes", reinterpret_cast<uint64_t>(part.iov_base), got, part.iov_len);
          throw Error("internal", "short read of the memory of process " + std::to_string(pid) + range);
        }
        to += part.iov_len;
      }
    }
    bool go = take(remote, buffer.data(), filled);
    remote.clear();
    filled = 0;
    return go;
  };
  for (const PageRun& run : runs) {
    for (uint64_t done = 0, bytes = run.pages * kPageSize; done < bytes;) {
      uint64_t part = std::min<uint64_t>(buffer.size() - filled, bytes - done);
      remote.push_back({reinterpret_cast<void*>(run.address + done), part});
      filled += part;
      done += part;
      if ((filled == buffer.size() || remote.size() == 1000) && !flush()) return false;
    }
  }
  return flush();
}

}  // namespace appshot
