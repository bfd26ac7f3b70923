#include "core/fill/fill_job.h"

#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <thread>

#include "core/sys/send_descriptors.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr uint64_t kPage = 4096;
// A program that misses one page after the other is given so many ahead: a wake-up across processors costs more than copying them. It may
// be doing so in several places at a time.
constexpr uint64_t kAheadBytes = 16 * kPage;
constexpr size_t kPlaces = 16;
// What lies around a page that is missed comes with it: aligned pieces of this size.
constexpr uint64_t kAroundBytes = 8 * kPage;
// So much of a hole is mapped at once where the program begins to fill it: as the page of zeros, which takes no memory.
constexpr uint64_t kZeroedBytes = 64 * kPage;
// Copied between two looks at what the program wants: what is next, and in the background.
constexpr uint64_t kNextBatchBytes = 16 * kPage, kBatchBytes = 64 * kPage;
// How long a program takes to come to the next page of its working set, about: gives pages that are missed their place among those
// that were recorded before.
constexpr double kUsAPage = 4;
// The program has come to rest when it has not missed anything for so long.
constexpr int kQuietMs = 5;
// Background filling starts at the latest.
constexpr double kLatestUs = 150'000;

class FillJob {
 public:
  FillJob(UniqueFd uffd, Extents missing, std::vector<Extent> registered, uint64_t pid, const FillSource& source)
      : uffd_(std::move(uffd)), missing_(std::move(missing)), registered_(std::move(registered)), pid_(pid), source_(source), startUs_(monotonicUs()) {}
  ~FillJob() {
    for (std::thread& child : children_) child.join();
  }

  // `next` and `firstPieces`: see FillPlan.
  std::vector<TouchedPage> run(const std::vector<Extent>& next, uint64_t firstPieces, const std::function<void()>& beforeRest) {
    isRecorded_ = !next.empty();
    auto firstEnd = next.begin() + static_cast<std::ptrdiff_t>(firstPieces);
    bool goesOn = copyFirst(next.begin(), firstEnd) && copyNext(firstEnd, next.end()) && serveUntilQuiet();
    if (goesOn) beforeRest();
    if (goesOn && fillRest()) letGo();
    return std::move(touched_);
  }

 private:
  using Pieces = std::vector<Extent>::const_iterator;
  // With the process, which copies from the other end.
  enum class Meeting { None, Ahead, Met };

  // Each of these returns false when the process is gone.

  // The process itself copies the same in the opposite order before it runs. Where both meet it has done what comes behind, or is doing it. (Not
  // taken for certain: a page that is missing and not known to be would read as zeros. When nobody waits, it is tried.)
  bool copyFirst(Pieces from, Pieces to) {
    meeting_ = Meeting::Ahead;
    bool goesOn = copyNext(from, to);
    meeting_ = Meeting::None;
    return goesOn;
  }

  bool copyNext(Pieces from, Pieces to) {
    uint64_t sinceLook = kNextBatchBytes;
    for (Pieces piece = from; piece != to; ++piece)
      for (uint64_t start = piece->start; start < piece->end; start += kNextBatchBytes) {
        if (sinceLook >= kNextBatchBytes) {
          if (!readEvents()) return false;
          sinceLook = 0;
        }
        uint64_t end = std::min(start + kNextBatchBytes, piece->end);
        sinceLook += end - start;
        for (const Extent& part : missing_.within(start, end))
          if (!copy(part)) return false;
        if (meeting_ == Meeting::Met) return true;
      }
    return true;
  }

  bool serveUntilQuiet() {
    while (!missing_.empty() && monotonicUs() - startUs_ < kLatestUs) {
      pollfd query{uffd_.get(), POLLIN, 0};
      int ready = ::poll(&query, 1, kQuietMs);
      if (ready == 0) break;
      if (ready > 0 && (query.revents & (POLLERR | POLLHUP) || !readEvents())) return false;
    }
    isRecording_ = false;
    return true;
  }

  bool fillRest() {
    while (!missing_.empty())
      if (!readEvents() || !fillBatch()) return false;
    return true;
  }

  bool readEvents() {
    uffd_msg events[16];
    ssize_t n = ::read(uffd_.get(), events, sizeof events);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    for (size_t i = 0; i < static_cast<size_t>(n) / sizeof(uffd_msg); i++)
      if (!handle(events[i])) return false;
    return n > 0;
  }

  bool handle(const uffd_msg& event) {
    switch (event.event) {
      case UFFD_EVENT_PAGEFAULT: return serve(event.arg.pagefault.address & ~(kPage - 1));
      case UFFD_EVENT_REMOVE: missing_.remove(event.arg.remove.start, event.arg.remove.end); return true;
      case UFFD_EVENT_UNMAP:
        missing_.remove(event.arg.remove.start, event.arg.remove.end);
        return true;
      case UFFD_EVENT_REMAP:
        missing_.move(event.arg.remap.from, event.arg.remap.to, event.arg.remap.len);
        registered_.push_back({event.arg.remap.to, event.arg.remap.to + event.arg.remap.len, 0});
        return true;
      case UFFD_EVENT_FORK: adopt(UniqueFd(static_cast<int>(event.arg.fork.ufd))); return true;
    }
    return true;
  }

  // The child misses what its parent misses now. It runs as soon as the event has been read: its userfaultfd has to have a duplicate before
  // anything else is done. (None where the socket is full, for which thousands have to be forked meanwhile.)
  void adopt(UniqueFd childFd) {
    sendDescriptors(source_.duplicates, &pid_, sizeof pid_, {childFd.get()}, MSG_DONTWAIT);
    children_.emplace_back([fd = std::move(childFd), missing = missing_, registered = registered_, pid = pid_, source = source_]() mutable {
      FillJob(std::move(fd), std::move(missing), std::move(registered), pid, source).run({}, 0, [] {});
    });
  }

  bool serve(uint64_t address) {
    std::vector<Extent> wanted = missing_.within(address, address + kPage);
    if (wanted.empty()) return zero(address);
    if (!copy(wanted.front())) return false;
    record(address);
    if (!copyAround(address)) return false;
    uint64_t& place = placeOf(address);
    bool isSequential = address == place;
    place = address + kPage;
    if (!isSequential) return true;
    for (const Extent& piece : missing_.within(address + kPage, address + kPage + kAheadBytes)) {
      if (!copy(piece)) return false;
      for (uint64_t page = piece.start; page < piece.end; page += kPage) record(page);
      place = piece.end;
    }
    return true;
  }

  // What lies around a page that is missed is likely to be needed, too: it comes when the program runs on already.
  bool copyAround(uint64_t address) {
    if (!isRecording_) return true;
    uint64_t block = address & ~(kAroundBytes - 1);
    for (const Extent& piece : missing_.within(block, block + kAroundBytes)) {
      for (uint64_t page = piece.start; page < piece.end; page += kPage)
        touched_.push_back({static_cast<uint32_t>(pid_), 0, page, kAroundRank + static_cast<uint32_t>(touched_.size())});
      if (!copy(piece)) return false;
    }
    return true;
  }

  // Where the program has come to, of the places in which it misses pages; one that takes the oldest one's turn where it begins to.
  uint64_t& placeOf(uint64_t address) {
    auto known = std::find(places_.begin(), places_.end(), address);
    return known != places_.end() ? *known : places_[nextPlace_++ % kPlaces];
  }

  void record(uint64_t address) {
    if (!isRecording_) return;
    double rank = isRecorded_ ? (monotonicUs() - startUs_) / kUsAPage : static_cast<double>(touched_.size());
    touched_.push_back({static_cast<uint32_t>(pid_), 0, address, static_cast<uint32_t>(rank)});
  }

  // A page that the image does not have: never touched before. Programs allocate upwards: those behind it are next.
  bool zero(uint64_t address) {
    Extent behind;
    uint64_t end = missing_.next(address, kPage, behind) ? std::min(behind.start, address + kZeroedBytes) : address + kZeroedBytes;
    uffdio_zeropage request{};
    request.range = {address, end - address};
    while (::ioctl(uffd_.get(), UFFDIO_ZEROPAGE, &request) < 0) {
      if (request.zeropage > 0) return true;  // up to one that is there
      if (errno == EAGAIN) {
        if (!readEvents()) return false;
        request.range.len = kPage;
        continue;
      }
      // The kernel fills one range of memory at a time.
      if (errno == ENOENT && request.range.len > kPage) {
        request.range.len = kPage;
        continue;
      }
      if (errno == EEXIST || errno == ENOENT) {
        wake(address);
        return true;
      }
      return errno != ESRCH;
    }
    return true;
  }

  void wake(uint64_t address) {
    uffdio_range range{address, kPage};
    ::ioctl(uffd_.get(), UFFDIO_WAKE, &range);
  }

  // False when the process is gone.
  bool copy(Extent piece) {
    bool onePage = false;
    while (piece.start < piece.end) {
      uffdio_copy request{};
      request.dst = piece.start;
      request.src = reinterpret_cast<uint64_t>(source_.pages + piece.position);
      request.len = onePage ? kPage : piece.end - piece.start;
      int result = ::ioctl(uffd_.get(), UFFDIO_COPY, &request);
      int err = result < 0 ? errno : 0;
      uint64_t done = request.copy > 0 ? static_cast<uint64_t>(request.copy) : 0;
      missing_.remove(piece.start, piece.start + done);
      piece.start += done;
      piece.position += done;
      if (result == 0) continue;
      if (err == EAGAIN) {
        // The address space is being changed: what is missing may be another range after its event.
        if (done == 0 && !readEvents()) return false;
        std::vector<Extent> left = missing_.within(piece.start, piece.end);
        if (left.empty()) return true;
        for (const Extent& part : left)
          if (!copy(part)) return false;
        return true;
      }
      if (err == ESRCH) return false;
      // The program has parted this memory meanwhile (mprotect, madvise): the kernel copies into one range at a time. To take that
      // for memory that is gone would make it read as zeros.
      if (err == ENOENT && !onePage && piece.end - piece.start > kPage) {
        onePage = true;
        continue;
      }
      if (err == EEXIST && meeting_ != Meeting::None) {
        meeting_ = Meeting::Met;
        return true;
      }
      // Already there (a race with another thread's fault), or unmapped: not missing any more. Whoever waits for it may go on.
      missing_.remove(piece.start, piece.start + kPage);
      if (err == EEXIST) wake(piece.start);
      piece.start += kPage;
      piece.position += kPage;
    }
    return true;
  }

  bool fillBatch() {
    Extent piece;
    if (!missing_.next(cursor_, kBatchBytes, piece) && !missing_.next(cursor_ = 0, kBatchBytes, piece)) return true;
    cursor_ = piece.end;
    // Somebody may wait for a page of the batch: a wake-up nobody needs costs little here.
    return copy(piece);
  }

  void letGo() {
    for (const Extent& range : registered_) {
      uffdio_range all{range.start, range.end - range.start};
      ::ioctl(uffd_.get(), UFFDIO_UNREGISTER, &all);  // fails where the program unmapped part of it: closing does the rest
    }
  }

  UniqueFd uffd_;
  Extents missing_;
  std::vector<Extent> registered_;
  uint64_t pid_;
  FillSource source_;
  uint64_t cursor_ = 0;
  std::array<uint64_t, kPlaces> places_{};  // addresses behind the last page that was missed there
  size_t nextPlace_ = 0;
  double startUs_;
  bool isRecorded_ = false, isRecording_ = true;
  Meeting meeting_ = Meeting::None;
  std::vector<TouchedPage> touched_;
  std::vector<std::thread> children_;
};

}  // namespace

std::vector<TouchedPage> runFillJob(UniqueFd uffd, const FillPlan& plan, const FillSource& source, const std::function<void()>& beforeRest) {
  Extents missing;
  for (const Extent& extent : plan.missing) missing.add(extent);
  FillJob job(std::move(uffd), std::move(missing), plan.registered, plan.pid, source);
  return job.run(plan.next, plan.firstPieces, beforeRest);
}

}  // namespace appshot
