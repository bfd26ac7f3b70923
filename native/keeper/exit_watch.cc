#include "keeper/exit_watch.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "core/sys/sys.h"

namespace appshot {

void ExitWatch::start() {
  epoll_ = sysFd("make epoll", [] { return ::epoll_create1(EPOLL_CLOEXEC); });
  wake_ = sysFd("make eventfd", [] { return ::eventfd(0, EFD_CLOEXEC); });
  epoll_event event{EPOLLIN, {.fd = wake_.get()}};
  sys("watch eventfd", [&] { return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event); });
  thread_ = std::thread([this] { run(); });
}

void ExitWatch::close() {
  uint64_t one = 1;
  if (wake_.valid()) sys("wake watch", [&] { return ::write(wake_.get(), &one, sizeof one); });
  if (thread_.joinable()) thread_.join();
}

void ExitWatch::add(const InstancePtr& instance) {
  int fd = instance->pod->exits.get();
  std::lock_guard lock(mutex_);
  watched_[fd] = instance;
  epoll_event event{EPOLLIN, {.fd = fd}};
  sys("watch instance " + instance->aid, [&] { return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event); });
}

void ExitWatch::remove(const InstancePtr& instance) {
  std::lock_guard lock(mutex_);
  int fd = instance->pod->exits.get();
  doubtful_.erase(fd);
  if (watched_.erase(fd) > 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void ExitWatch::run() {
  for (;;) {
    epoll_event events[32];
    constexpr int kLookEveryMs = 10;
    int timeoutMs;
    {
      std::lock_guard lock(mutex_);
      timeoutMs = doubtful_.empty() ? -1 : kLookEveryMs;
    }
    int count = sys("wait for exits", [&] { return ::epoll_wait(epoll_.get(), events, 32, timeoutMs); });
    lookAgain();
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd == wake_.get()) return;
      // The lock is kept over the read: a removed instance's descriptor may already be somebody else's.
      std::unique_lock lock(mutex_);
      auto found = watched_.find(events[i].data.fd);
      if (found == watched_.end()) continue;
      InstancePtr instance = found->second;
      readRecords(instance);
    }
  }
}

void ExitWatch::lookAgain() {
  std::lock_guard lock(mutex_);
  for (auto at = doubtful_.begin(); at != doubtful_.end();) {
    auto found = watched_.find(at->first);
    bool isDone = found == watched_.end() || check(found->second) || --at->second == 0;
    at = isDone ? doubtful_.erase(at) : std::next(at);
  }
}

void ExitWatch::readRecords(const InstancePtr& instance) {
  ExitRecord records[64];
  ssize_t n = ::read(instance->pod->exits.get(), records, sizeof records);
  bool mayBeEmpty = false;
  for (ssize_t i = 0; i < n / static_cast<ssize_t>(sizeof(ExitRecord)); ++i) {
    if (records[i].vpid == 0) mayBeEmpty = true;
    std::lock_guard lock(instance->mutex);
    if (records[i].vpid == instance->rootVpid) {
      instance->rootStatus = records[i].status;
      instance->changed.notify_all();
    }
  }
  // Its init was killed, and with it everything else: no more will be told, and the descriptor stays readable for ever.
  if (n == 0) {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, instance->pod->exits.get(), nullptr);
    mayBeEmpty = true;
  }
  // A process stays in its cgroup for a moment after it was reaped.
  constexpr int kLooks = 100;
  if (mayBeEmpty && !check(instance)) doubtful_[instance->pod->exits.get()] = kLooks;
}

bool ExitWatch::check(const InstancePtr& instance) {
  // The init only knows of its own children: a guest, or a process that is just being started, is none yet.
  auto pids = instance->pod->groups.pids();
  for (pid_t pid : pids) {
    if (pid != instance->pod->init) return false;
  }
  {
    std::lock_guard lock(instance->mutex);
    if (instance->rootVpid < 0) return false;
    instance->ended = true;
    instance->changed.notify_all();
  }
  onEmpty_(instance);
  return true;
}

}  // namespace appshot
