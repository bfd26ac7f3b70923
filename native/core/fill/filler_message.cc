#include "core/fill/filler_message.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <cstring>
#include <mutex>

#include "core/sys/sys.h"

namespace appshot {

UniqueFd writePlans(const std::vector<FillPlan>& plans) {
  std::vector<uint64_t> words{plans.size()};
  for (const FillPlan& plan : plans) {
    words.insert(words.end(), {plan.pid, plan.firstPieces, plan.missing.size(), plan.next.size(), plan.registered.size(), plan.early.size()});
    for (const auto* list : {&plan.missing, &plan.next, &plan.registered, &plan.early})
      for (const Extent& extent : *list) words.insert(words.end(), {extent.start, extent.end, extent.position});
  }
  UniqueFd fd = sysFd("make a memfd for fill plans", [] { return ::memfd_create("appshot-fill", MFD_CLOEXEC); });
  writeAll(fd.get(), words.data(), words.size() * sizeof(uint64_t), "write fill plans");
  return fd;
}

std::vector<FillPlan> readPlans(int fd) {
  struct stat status{};
  sys("stat fill plans", [&] { return ::fstat(fd, &status); });
  std::vector<uint64_t> words(static_cast<size_t>(status.st_size) / sizeof(uint64_t));
  sys("read fill plans", [&] { return ::pread(fd, words.data(), words.size() * sizeof(uint64_t), 0); });
  size_t at = 0;
  auto next = [&] { return words.at(at++); };
  std::vector<FillPlan> plans(next());
  for (FillPlan& plan : plans) {
    plan.pid = next();
    plan.firstPieces = next();
    plan.missing.resize(next());
    plan.next.resize(next());
    plan.registered.resize(next());
    plan.early.resize(next());
    for (auto* list : {&plan.missing, &plan.next, &plan.registered, &plan.early})
      for (Extent& extent : *list) {
        extent.start = next();
        extent.end = next();
        extent.position = next();
      }
  }
  return plans;
}

static std::mutex mutex;
static std::condition_variable changed;
static int busy = 0;

FillerBusy::FillerBusy() {
  std::lock_guard lock(mutex);
  busy++;
}

FillerBusy::~FillerBusy() {
  std::lock_guard lock(mutex);
  busy--;
  changed.notify_all();
}

void FillerBusy::waitForNone() {
  std::unique_lock lock(mutex);
  changed.wait(lock, [] { return busy == 0; });
}

}  // namespace appshot
