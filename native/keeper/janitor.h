// Removes directory trees in the background.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

namespace appshot {

class Janitor {
 public:
  explicit Janitor(std::string trash) : trash_(std::move(trash)) {}

  // Also removes what a former keeper left in the trash.
  void start();
  // Takes the tree out of the way at once (a rename into the trash) and removes it later. No harm if it does not exist.
  void remove(const std::string& path);
  // Waits until all is removed, and the trash itself.
  void close();

 private:
  void run();

  std::string trash_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> waiting_;
  unsigned taken_ = 0;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace appshot
