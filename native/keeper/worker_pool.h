// Threads for the operations: each runs wholly on one (ptrace asks for that). Grows as needed; idle threads are used again.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace appshot {

class WorkerPool {
 public:
  // Runs `work`, which must not throw, at once: a new thread is made when all are busy. False when the keeper ends.
  bool run(std::function<void()> work);
  // Waits for everything that runs.
  void close();

 private:
  void serve();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;
  bool closing_ = false;
};

}  // namespace appshot
