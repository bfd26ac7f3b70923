#include "keeper/worker_pool.h"

namespace appshot {

bool WorkerPool::run(std::function<void()> work) {
  std::lock_guard lock(mutex_);
  // The keeper ends; what is not done is the next one's.
  if (closing_) return false;
  waiting_.push_back(std::move(work));
  // Threads that were woken but have not run yet still count as idle, so what already waits is counted against them.
  if (idle_ < waiting_.size()) threads_.emplace_back([this] { serve(); });
  changed_.notify_one();
  return true;
}

void WorkerPool::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, [this] { return closing_ || !waiting_.empty(); });
    --idle_;
    if (waiting_.empty()) return;
    auto work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
  }
}

void WorkerPool::close() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace appshot
