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

constexpr int kPopulateRead = 22;  // MADV_POPULATE_READ (5.14)

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

// In the order of the file, and with what lies between if that is little: a disk takes as long to begin as for so much.
std::vector<std::pair<uint64_t, uint64_t>> readsOf(const std::vector<FillPlan>& plans) {
  constexpr uint64_t kBridgedBytes = 32 << 10;
  std::vector<std::pair<uint64_t, uint64_t>> pieces, reads;
  for (const FillPlan& plan : plans)
    for (const auto* list : {&plan.early, &plan.next})
      for (const Extent& piece : *list) pieces.emplace_back(piece.position, piece.position + (piece.end - piece.start));
  std::sort(pieces.begin(), pieces.end());
  for (const auto& [from, to] : pieces) {
    if (!reads.empty() && from <= reads.back().second + kBridgedBytes) reads.back().second = std::max(reads.back().second, to);
    else reads.emplace_back(from, to);
  }
  return reads;
}

// Asks the disk for what is next, all at once. Of a delta also for the rest: what is missed beside was mostly written lately. A page that
// is missed meanwhile is read alone: with as much around it as the kernel would, it would come behind megabytes.
void fetchFromDisk(const std::vector<FillPlan>& plans, const MappedPages& pages) {
  constexpr uint64_t kSmallDelta = 16 << 20;
  ::madvise(pages.at, pages.bytes, MADV_RANDOM);
  for (const auto& [from, to] : readsOf(plans)) ::madvise(pages.at + from, to - from, MADV_WILLNEED);
  if (pages.baseBytes && pages.bytes - pages.baseBytes <= kSmallDelta) ::madvise(pages.at + pages.baseBytes, pages.bytes - pages.baseBytes, MADV_WILLNEED);
}

// While nobody waits yet: what is next is asked of the disk, or mapped here where it is in memory. (Calls for a thousand pieces take
// milliseconds of a processor on which the instance is being made: not where it can be had in one.)
void fetchNext(const std::vector<FillPlan>& plans, const MappedPages& pages) {
  constexpr uint64_t kMappedAtOnce = 64ull << 20;
  bool isThere = std::all_of(plans.begin(), plans.end(), [&](const FillPlan& plan) { return isInMemory(plan, pages); });
  bool isKnown = std::any_of(plans.begin(), plans.end(), [](const FillPlan& plan) { return !plan.next.empty(); });
  if (isThere && pages.bytes <= kMappedAtOnce) ::madvise(pages.at, pages.bytes, kPopulateRead);
  if (!isThere && isKnown) fetchFromDisk(plans, pages);
}

void work(ReceivedOrder order) {
  const FillMessage& message = order.message;
  std::vector<FillPlan> plans = readPlans(order.plans.get());
  void* mapped = message.pageBytes ? ::mmap(nullptr, message.pageBytes, PROT_READ, MAP_SHARED, order.pages.get(), 0) : nullptr;
  // Positions below those of pages.bin are the base's.
  if (message.baseBytes && mapped != MAP_FAILED) mapped = ::mmap(mapped, message.baseBytes, PROT_READ, MAP_SHARED | MAP_FIXED, order.base.get(), 0);
  if (mapped == MAP_FAILED) std::abort();  // the inits see that we ended and act
  MappedPages pages{static_cast<char*>(mapped), message.pageBytes, message.baseBytes};
  fetchNext(plans, pages);
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
  if (mapped) ::munmap(mapped, message.pageBytes);
  // Told before the working set is written: nobody has to wait for a hint.
  char byte = 1;
  [[maybe_unused]] ssize_t ignored = ::write(order.done.get(), &byte, 1);
  order.done.reset();
  std::vector<TouchedPage> all;
  for (auto& runs : touched) all.insert(all.end(), runs.begin(), runs.end());
  if (!all.empty()) addToWorkingSet(message.imageDir, all);
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
