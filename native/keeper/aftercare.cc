#include "keeper/aftercare.h"

#include <malloc.h>

#include <cerrno>
#include <chrono>
#include <cstdio>

#include "core/sys/error.h"

namespace appshot {

void Aftercare::start() {
  thread_ = std::thread([this] { run(); });
}

void Aftercare::close() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Aftercare::add(std::function<void()> work) {
  std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(work));
  changed_.notify_all();
}

void Aftercare::run() {
  constexpr int kPatienceMs = 2000;
  constexpr auto kTrimAfter = std::chrono::seconds(2);
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return closing_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    bool hurry = closing_;
    lock.unlock();
    if (!hurry) quiet_.await(kPatienceMs);
    lock.lock();
    // All that have gathered in one go: only the first of a burst waits for the grace period.
    std::deque<std::function<void()>> burst;
    burst.swap(waiting_);
    lock.unlock();
    for (const auto& work : burst) {
      try {
        work();
      } catch (const Error& error) {
        // What it was for may have gone meanwhile.
        if (error.err() != ENOENT && error.err() != ESRCH && error.err() != ENODEV) std::fprintf(stderr, "aftercare: %s\n", error.what());
      }
    }
    burst.clear();
    lock.lock();
    // What one large image took stays with malloc otherwise, between pieces of what is still needed. When there was nothing to do for a while.
    auto isWanted = [this] { return closing_ || !waiting_.empty(); };
    if (changed_.wait_for(lock, kTrimAfter, isWanted)) continue;
    lock.unlock();
    ::malloc_trim(0);
    lock.lock();
  }
}

}  // namespace appshot
