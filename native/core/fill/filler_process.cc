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

#include "core/fill/filler.h"
#include "core/fill/filler_message.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr int kSocket = 3;

struct ReceivedOrder {
  FillMessage message{};
  UniqueFd pages, plans, done, userfaultfds, base;
};

bool receive(ReceivedOrder& order) {
  iovec vector{&order.message, sizeof order.message};
  int fds[kFillDescriptors] = {-1, -1, -1, -1, -1};
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

// Whether the image is in memory: by some of what is next.
bool isInMemory(const FillPlan& plan, char* pages) {
  constexpr size_t kSamples = 16;
  for (size_t i = 0; i < plan.next.size(); i += std::max<size_t>(1, plan.next.size() / kSamples)) {
    unsigned char isThere = 0;
    if (::mincore(pages + plan.next[i].position, 1, &isThere) != 0 || !(isThere & 1)) return false;
  }
  return true;
}

// What is next is read from the disk, where it is not in memory, and mapped here: while nobody waits for it yet. Calls for a
// thousand pieces take milliseconds of a processor on which the instance is being made: not where it can be had in one.
void fetchNext(const std::vector<FillPlan>& plans, char* pages, uint64_t pageBytes) {
  constexpr uint64_t kMappedAtOnce = 64ull << 20;
  if (std::all_of(plans.begin(), plans.end(), [&](const FillPlan& plan) { return isInMemory(plan, pages); })) {
    if (pageBytes <= kMappedAtOnce) ::madvise(pages, pageBytes, kPopulateRead);
    return;
  }
  for (int advice : {MADV_WILLNEED, kPopulateRead})
    for (const FillPlan& plan : plans)
      for (const Extent& piece : plan.next) ::madvise(pages + piece.position, piece.end - piece.start, advice);
}

void work(ReceivedOrder order) {
  const FillMessage& message = order.message;
  std::vector<FillPlan> plans = readPlans(order.plans.get());
  void* mapped = message.pageBytes ? ::mmap(nullptr, message.pageBytes, PROT_READ, MAP_SHARED, order.pages.get(), 0) : nullptr;
  // Positions below those of pages.bin are the base's.
  if (message.baseBytes && mapped != MAP_FAILED) mapped = ::mmap(mapped, message.baseBytes, PROT_READ, MAP_SHARED | MAP_FIXED, order.base.get(), 0);
  if (mapped == MAP_FAILED) std::abort();  // the inits see that we ended and act
  auto* pages = static_cast<char*>(mapped);
  fetchNext(plans, pages, message.pageBytes);
  std::vector<std::vector<TouchedPage>> touched(plans.size());
  std::vector<std::thread> threads;
  for (size_t count = 0; count < plans.size(); count++) {
    uint64_t pid = 0;
    UniqueFd userfaultfd = receiveUserfaultfd(order.userfaultfds.get(), pid);
    if (!userfaultfd.valid()) break;  // the restore has failed
    auto plan = std::find_if(plans.begin(), plans.end(), [pid](const FillPlan& one) { return one.pid == pid; });
    if (plan == plans.end()) std::abort();
    auto job = [&into = touched[static_cast<size_t>(plan - plans.begin())], plan, pages, fd = std::move(userfaultfd)]() mutable { into = runFillJob(std::move(fd), *plan, pages); };
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
