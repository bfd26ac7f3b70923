// The half of the filler that runs in its own process.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include "core/fill/filler.h"
#include "core/fill/filler_message.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr int kSocket = 3;

struct ReceivedOrder {
  FillMessage message{};
  UniqueFd pages, plans, done, userfaultfds, base, duplicates;
};

bool receive(ReceivedOrder& order) {
  iovec vector{&order.message, sizeof order.message};
  int fds[kFillDescriptors] = {-1, -1, -1, -1, -1, -1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds)];
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t n = sys("hear of missing memory", [&] { return ::recvmsg(kSocket, &header, MSG_CMSG_CLOEXEC); });
  if (n == 0) return false;
  cmsghdr* part = CMSG_FIRSTHDR(&header);
  if (part) std::memcpy(fds, CMSG_DATA(part), std::min(sizeof fds, part->cmsg_len - CMSG_LEN(0)));
  order.pages = UniqueFd(fds[0]);
  order.plans = UniqueFd(fds[1]);
  order.done = UniqueFd(fds[2]);
  order.userfaultfds = UniqueFd(fds[3]);
  order.base = UniqueFd(fds[4]);
  order.duplicates = UniqueFd(fds[5]);
  return true;
}

// Of the next process that has mapped its memory; invalid when no more will come.
UniqueFd receiveUserfaultfd(int socket, uint64_t& pid) {
  iovec vector{&pid, sizeof pid};
  int fd = -1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)];
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t n = sys("receive a userfaultfd", [&] { return ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC); });
  cmsghdr* part = CMSG_FIRSTHDR(&header);
  if (n == sizeof pid && part) std::memcpy(&fd, CMSG_DATA(part), sizeof fd);
  return UniqueFd(fd);
}

// The pages of an image, mapped.
struct MappedPages {
  char* at = nullptr;
  uint64_t bytes = 0, baseBytes = 0;  // the base's come first
};

// Whether the image is in memory: by some of what will be wanted.
bool isInMemory(const FillPlan& plan, const MappedPages& pages) {
  constexpr size_t kSamples = 16;
  const std::vector<Extent>& wanted = plan.next.empty() ? plan.missing : plan.next;
  for (size_t i = 0; i < wanted.size(); i += std::max<size_t>(1, wanted.size() / kSamples)) {
    unsigned char isThere = 0;
    if (::mincore(pages.at + wanted[i].position, 1, &isThere) != 0 || !(isThere & 1)) return false;
  }
  return true;
}

using Pieces = std::vector<std::pair<uint64_t, uint64_t>>;

void addPieces(Pieces& pieces, const std::vector<Extent>& extents, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) pieces.emplace_back(extents[i].position, extents[i].position + (extents[i].end - extents[i].start));
}

// Asks the disk for them all at once, in the order of the file, and for what lies between two if that is at most `bridged`: a disk takes as
// long to begin as for some more.
void askFor(Pieces pieces, const MappedPages& pages, uint64_t bridged) {
  std::sort(pieces.begin(), pieces.end());
  for (auto piece = pieces.begin(); piece != pieces.end();) {
    auto [from, to] = *piece;
    for (++piece; piece != pieces.end() && piece->first <= to + bridged; ++piece) to = std::max(to, piece->second);
    ::madvise(pages.at + from, to - from, MADV_WILLNEED);
  }
}

// What a first request needs. Most of it stands together (snapshot/page_uses.h), so that little else has to be read with it.
void askForFirst(const std::vector<FillPlan>& plans, const MappedPages& pages) {
  Pieces first;
  for (const FillPlan& plan : plans) {
    addPieces(first, plan.early, 0, plan.early.size());
    addPieces(first, plan.next, 0, plan.firstPieces);
  }
  askFor(std::move(first), pages, 8 << 10);
}

// A part of them after the other, in their order, each when the one before has come: whoever misses a page meanwhile waits behind one part.
void askInTurn(const Pieces& pieces, const MappedPages& pages) {
  constexpr uint64_t kPartBytes = 2 << 20;
  for (auto from = pieces.begin(); from != pieces.end();) {
    auto to = from;
    for (uint64_t bytes = 0; to != pieces.end() && bytes < kPartBytes; ++to) bytes += to->second - to->first;
    askFor({from, to}, pages, 32 << 10);
    [[maybe_unused]] char last = *static_cast<volatile const char*>(pages.at + std::prev(to)->first);
    from = to;
  }
}

// What is used after it, and of a small delta the rest: what is missed beside was mostly written lately.
void askForLater(const std::vector<FillPlan>& plans, const MappedPages& pages) {
  constexpr uint64_t kSmallDelta = 16 << 20;
  Pieces later, delta;
  uint64_t deltaBytes = 0;
  for (const FillPlan& plan : plans) {
    addPieces(later, plan.next, plan.firstPieces, plan.next.size());
    for (size_t i = 0; i < plan.missing.size(); i++) {
      if (pages.baseBytes == 0 || plan.missing[i].position < pages.baseBytes) continue;
      addPieces(delta, plan.missing, i, i + 1);
      deltaBytes += plan.missing[i].end - plan.missing[i].start;
    }
  }
  askInTurn(later, pages);
  if (deltaBytes <= kSmallDelta) askInTurn(delta, pages);
}

// Asking takes milliseconds: who copies does not wait for what comes later to be asked for. A page that is missed meanwhile is read alone: with
// as much around it as the kernel would, it would come behind megabytes.
std::thread fetchFromDisk(const std::vector<FillPlan>& plans, const MappedPages& pages) {
  ::madvise(pages.at, pages.bytes, MADV_RANDOM);
  askForFirst(plans, pages);
  return std::thread([&plans, pages] { askForLater(plans, pages); });
}

// While nobody waits yet: what is next is asked of the disk. Where it is in memory, nothing is done: mapping it in advance takes as long as copying
// it does from pages that are not mapped.
std::thread fetchNext(const std::vector<FillPlan>& plans, const MappedPages& pages) {
  bool isThere = std::all_of(plans.begin(), plans.end(), [&](const FillPlan& plan) { return isInMemory(plan, pages); });
  bool isKnown = std::any_of(plans.begin(), plans.end(), [](const FillPlan& plan) { return !plan.next.empty(); });
  return !isThere && isKnown ? fetchFromDisk(plans, pages) : std::thread();
}

void work(ReceivedOrder order) {
  const FillMessage& message = order.message;
  std::vector<FillPlan> plans = readPlans(order.plans.get());
  void* mapped = message.pageBytes ? ::mmap(nullptr, message.pageBytes, PROT_READ, MAP_SHARED, order.pages.get(), 0) : nullptr;
  // Positions below those of pages.bin are the base's.
  if (message.baseBytes && mapped != MAP_FAILED) mapped = ::mmap(mapped, message.baseBytes, PROT_READ, MAP_SHARED | MAP_FIXED, order.base.get(), 0);
  if (mapped == MAP_FAILED) std::abort();  // the inits see that we ended and act
  MappedPages pages{static_cast<char*>(mapped), message.pageBytes, message.baseBytes};
  std::thread fetching = fetchNext(plans, pages);
  auto readAhead = [pages] { ::madvise(pages.at, pages.bytes, MADV_NORMAL); };
  std::vector<std::vector<TouchedPage>> touched(plans.size());
  std::vector<std::thread> threads;
  for (size_t count = 0; count < plans.size(); count++) {
    uint64_t pid = 0;
    UniqueFd userfaultfd = receiveUserfaultfd(order.userfaultfds.get(), pid);
    if (!userfaultfd.valid()) break;  // the restore has failed
    auto plan = std::find_if(plans.begin(), plans.end(), [pid](const FillPlan& one) { return one.pid == pid; });
    if (plan == plans.end()) std::abort();
    auto job = [&into = touched[static_cast<size_t>(plan - plans.begin())], plan, source = FillSource{pages.at, order.duplicates.get()}, readAhead, fd = std::move(userfaultfd)]() mutable {
      into = runFillJob(std::move(fd), *plan, source, readAhead);
    };
    if (count + 1 < plans.size()) threads.emplace_back(std::move(job));
    else job();
  }
  for (std::thread& thread : threads) thread.join();
  if (fetching.joinable()) fetching.join();
  if (mapped) ::munmap(mapped, message.pageBytes);
  // Told before the working set is written: nobody has to wait for a hint.
  char byte = 1;
  [[maybe_unused]] ssize_t ignored = ::write(order.done.get(), &byte, 1);
  order.done.reset();
  std::vector<TouchedPage> all;
  for (auto& runs : touched) all.insert(all.end(), runs.begin(), runs.end());
  addToWorkingSet(message.imageDir, all);
}

}  // namespace

void becomeFillerIfAsked(int argc, char** argv) {
  if (argc < 1 || std::string_view(argv[0]) != kFillerName) return;
  ::prctl(PR_SET_NAME, kFillerName);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    for (;;) {
      ReceivedOrder order;
      if (!receive(order)) break;
      // Counted before the thread runs: the keeper may have gone since, and we end when nothing is left to do.
      std::thread([busy = std::make_unique<FillerBusy>(), order = std::move(order)]() mutable {
        work(std::move(order));
      }).detach();
    }
  } catch (const Error&) {
    // The keeper is gone: what was begun is finished below.
  }
  FillerBusy::waitForNone();
  std::_Exit(0);
}

}  // namespace appshot
