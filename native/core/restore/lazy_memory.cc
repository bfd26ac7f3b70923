#include "core/restore/lazy_memory.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>

#include "core/fill/extents.h"
#include "core/fill/filler_message.h"
#include "core/fill/lazy_ranges.h"
#include "core/image/image.h"
#include "core/restore/compile.h"

namespace appshot {

namespace {

// Below this a process is filled at once: it costs less than the machinery.
constexpr uint64_t kWorthwhileBytes = 1 << 20;
// What is used after it is copied in windows of so many pages in the order of their use, and inside of each by address.
constexpr std::ptrdiff_t kWindowPages = 256;
// So many pages between two that are wanted are copied, too: that costs less than another call.
constexpr uint64_t kBridgedBytes = 2 * kPageSize;

// Pages of the working set that are missing, in the order in which they are copied; how many of them are there before the program runs.
struct Wanted {
  std::vector<uint64_t> pages;
  size_t first = 0;
};
Wanted inOrderOfUse(const std::vector<TouchedPage>& workingSet, uint64_t pid, const Extents& missing) {
  std::vector<uint64_t> known;
  size_t missed = 0;
  std::vector<TouchedPage> guessed;
  for (const TouchedPage& page : workingSet) {
    if (page.pid != pid || missing.within(page.address, page.address + kPageSize).empty()) continue;
    if (page.rank >= kGuessedRank) guessed.push_back(page);
    else known.push_back(page.address);
    missed += page.rank < kAroundRank;
  }
  // The latest guess is the best.
  std::stable_sort(guessed.begin(), guessed.end(), [](const TouchedPage& a, const TouchedPage& b) { return a.wake > b.wake; });
  size_t needed = std::min(missed, kFirstPages);
  auto after = known.begin() + static_cast<std::ptrdiff_t>(needed);
  // The less is known, the more has to be guessed.
  Wanted wanted{{known.begin(), after}, std::min(needed + guessed.size(), kFirstPages)};
  for (const TouchedPage& page : guessed) wanted.pages.push_back(page.address);
  wanted.pages.insert(wanted.pages.end(), after, known.end());
  return wanted;
}

// By address, neighbours joined, and with them the few pages between two that stand between them in the file, too. Apart where one range of
// memory ends and the next begins: the kernel copies into one at a time.
std::vector<Extent> byAddress(std::vector<uint64_t> pages, const Extents& missing) {
  std::sort(pages.begin(), pages.end());
  std::vector<Extent> pieces;
  for (uint64_t page : pages) {
    std::vector<Extent> here;
    if (!pieces.empty() && page <= pieces.back().end + kBridgedBytes) here = missing.within(pieces.back().start, page + kPageSize);
    if (here.size() == 1) pieces.back() = here.front();
    else pieces.push_back(missing.within(page, page + kPageSize).front());
  }
  return pieces;
}

// In parts: where the filler has come to, the process is done.
void addFromTheEnd(std::vector<CopyRun>& runs, const Extent& piece) {
  constexpr uint64_t kPartBytes = 32 * kPageSize;
  for (uint64_t left = piece.end - piece.start; left > 0;) {
    uint64_t bytes = std::min(left, kPartBytes);
    left -= bytes;
    runs.push_back({piece.start + left, piece.position + left, bytes});
  }
}

void addRegistered(std::vector<Extent>& ranges, const Vma& vma) {
  if (!ranges.empty() && ranges.back().end == vma.start) ranges.back().end = vma.end;
  else ranges.push_back({vma.start, vma.end, 0});
}

}  // namespace

bool LazyMemory::contains(uint64_t address) const {
  auto after = std::upper_bound(plan.registered.begin(), plan.registered.end(), address, [](uint64_t at, const Extent& range) { return at < range.start; });
  return after != plan.registered.begin() && std::prev(after)->end > address;
}

LazyMemory planLazyMemory(const Compiler& compiler, const Process& process) {
  LazyMemory lazy;
  // The configurator runs before anybody fills.
  if (compiler.purpose != Purpose::Restore || compiler.wake.tellVariables || compiler.fills.size() >= kMaxFillProcesses) return lazy;
  Extents missing;
  auto run = process.runs.begin();
  for (const Vma& vma : process.vmas) {
    while (run != process.runs.end() && run->address < vma.start) ++run;
    bool isLazy = run != process.runs.end() && run->address < vma.end && mayBeLazy(process, vma);
    if (!isLazy) continue;
    // The restorer's region may lie between two of them, and must not be registered.
    bool joins = !lazy.groups.empty() && (lazy.groups.back().end > compiler.region.base() || vma.start < compiler.region.base());
    if (joins) lazy.groups.back().end = vma.end;
    else lazy.groups.push_back({vma.start, vma.end, 0});
    addRegistered(lazy.plan.registered, vma);
    for (; run != process.runs.end() && run->address < vma.end; ++run)
      missing.add({run->address, run->address + run->pages * kPageSize, run->position});
  }
  if (missing.bytes() < kWorthwhileBytes) return {};
  lazy.plan.pid = static_cast<uint64_t>(process.pid);
  auto [wanted, firstCount] = inOrderOfUse(compiler.workingSet, lazy.plan.pid, missing);
  auto firstEnd = wanted.begin() + static_cast<std::ptrdiff_t>(firstCount);
  lazy.plan.next = byAddress({wanted.begin(), firstEnd}, missing);
  lazy.plan.firstPieces = lazy.plan.next.size();
  for (auto piece = lazy.plan.next.rbegin(); piece != lazy.plan.next.rend(); ++piece) addFromTheEnd(lazy.first, *piece);
  for (auto from = firstEnd; from != wanted.end();) {
    auto to = from + std::min<std::ptrdiff_t>(wanted.end() - from, kWindowPages);
    for (const Extent& piece : byAddress({from, to}, missing)) lazy.plan.next.push_back(piece);
    from = to;
  }
  lazy.plan.missing = missing.within(0, UINT64_MAX);
  return lazy;
}

Slot compileLazyMemory(Compiler& compiler, Tape& tape, const LazyMemory& lazy) {
  if (lazy.plan.registered.empty()) return {};
  Region& region = compiler.region;
  Slot low = tape.call("make a userfaultfd", SYS_userfaultfd, {O_CLOEXEC | O_NONBLOCK}, true);
  Slot uffd = tape.call("move a descriptor", SYS_fcntl, {low, F_DUPFD_CLOEXEC, compiler.highFd}, true);
  tape.call("close a descriptor", SYS_close, {low});
  uffdio_api api{UFFD_API, UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP, 0};
  tape.call("set up the userfaultfd", SYS_ioctl, {uffd, UFFDIO_API, region.add(&api, sizeof api)});
  // V8 scatters its heap over a thousand ranges. The kernel registers what there is in between the two ends.
  for (const Extent& range : lazy.groups) {
    uffdio_register request{};
    request.range = {range.start, range.end - range.start};
    request.mode = UFFDIO_REGISTER_MODE_MISSING;
    tape.call("register missing memory", SYS_ioctl, {uffd, UFFDIO_REGISTER, region.add(&request, sizeof request)});
  }
  // The descriptor's number stands in the message as soon as it is known.
  struct { size_t bytes; int level, type, fd, pad; } control{CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS, -1, 0};
  uint64_t controlAddress = region.add(&control, sizeof control);
  uint64_t pid = region.add(&lazy.plan.pid, sizeof lazy.plan.pid);
  iovec vector{reinterpret_cast<void*>(pid), sizeof lazy.plan.pid};
  msghdr message{};
  message.msg_iov = reinterpret_cast<iovec*>(region.add(&vector, sizeof vector));
  message.msg_iovlen = 1;
  message.msg_control = reinterpret_cast<void*>(controlAddress);
  message.msg_controllen = sizeof control;
  tape.op(OP_STORE, "store", {controlAddress + offsetof(decltype(control), fd), uffd});
  uint64_t messageAddress = region.add(&message, sizeof message);
  // The duplicate first: from the other one on somebody relies on it.
  for (Slot socket : {compiler.duplicates, compiler.fillSocket}) tape.call("send the userfaultfd", SYS_sendmsg, {socket, messageAddress, MSG_NOSIGNAL});
  compiler.fills.push_back(lazy.plan);
  return uffd;
}

void compileFirstPages(Compiler& compiler, Tape& tape, const LazyMemory& lazy, Slot uffd) {
  if (lazy.first.empty()) return;
  uint64_t source = compiler.region.base() + kPagesOffset;
  tape.callExact("map the image's pages", SYS_mmap, {source, compiler.space.end, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, compiler.pages, 0}, source);
  if (compiler.space.base)
    tape.callExact("map the image's base", SYS_mmap, {source, compiler.space.base, PROT_READ, MAP_SHARED | MAP_FIXED, compiler.base, 0}, source);
  // A page that is not in memory is read alone: others are on their way.
  tape.attempt("read pages alone", SYS_madvise, {source, compiler.space.end, MADV_RANDOM});
  tape.op(OP_UFFD_COPY, "copy the working set", {uffd, compiler.region.addTable(lazy.first), lazy.first.size(), source});
}

}  // namespace appshot
