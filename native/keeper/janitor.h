// Removes directory trees in the background, when nothing is urgent: the disk and the processors are a wake's first.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "core/pod/quiet.h"

namespace appshot {

class Janitor {
 public:
  Janitor(std::string trash, Quiet& quiet) : trash_(std::move(trash)), quiet_(quiet) {}

  // Also removes what a former keeper left in the trash.
  void start();
  // Takes the tree out of the way at once (a rename into the trash) and removes it later. No harm if it does not exist.
  void remove(const std::string& path);
  // Waits until all is removed, and the trash itself.
  void close();

 private:
  void run();

  std::string trash_;
  Quiet& quiet_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> waiting_;
  unsigned taken_ = 0;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace appshot
