// The half of the filler that runs in its own process.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "core/fill/filler.h"
#include "core/fill/filler_message.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr int kSocket = 3;

struct ReceivedOrder {
  FillMessage message{};
  std::vector<UniqueFd> fds;  // pages, plans, done, userfaultfds
};

bool receive(ReceivedOrder& order) {
  iovec vector{&order.message, sizeof order.message};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFillDescriptors * sizeof(int))];
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t n = sys("hear of missing memory", [&] { return ::recvmsg(kSocket, &header, MSG_CMSG_CLOEXEC); });
  if (n == 0) return false;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part; part = CMSG_NXTHDR(&header, part)) {
    size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    int fds[kMaxFillDescriptors];
    std::memcpy(fds, CMSG_DATA(part), count * sizeof(int));
    for (size_t i = 0; i < count; i++) order.fds.emplace_back(fds[i]);
  }
  return true;
}

void work(ReceivedOrder order) {
  const FillMessage& message = order.message;
  UniqueFd pages = std::move(order.fds.at(0)), table = std::move(order.fds.at(1)), done = std::move(order.fds.at(2));
  std::vector<FillPlan> plans = readPlans(table.get());
  void* mapped = message.pageBytes ? ::mmap(nullptr, message.pageBytes, PROT_READ, MAP_SHARED, pages.get(), 0) : nullptr;
  if (mapped == MAP_FAILED) std::abort();  // the keeper sees that we ended and acts
  std::vector<std::vector<WorkingSetRun>> touched(plans.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < plans.size(); i++)
    threads.emplace_back([&, i] { touched[i] = runFillJob(std::move(order.fds.at(3 + i)), plans[i], static_cast<const char*>(mapped)); });
  for (std::thread& thread : threads) thread.join();
  if (mapped) ::munmap(mapped, message.pageBytes);
  // Told before the working set is written: nobody has to wait for a hint.
  char byte = 1;
  [[maybe_unused]] ssize_t ignored = ::write(done.get(), &byte, 1);
  done.reset();
  std::vector<WorkingSetRun> all;
  for (auto& runs : touched) all.insert(all.end(), runs.begin(), runs.end());
  if (!all.empty()) addToWorkingSet(message.imageDir, std::move(all));
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
      std::thread([order = std::move(order)]() mutable {
        FillerBusy busy;
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
