// Work that nobody waits for, done when nobody waits: what a new instance still needs once it answers (its
// processes join the v1 cgroups: the kernel waits for grace periods), what the next wake will want (a berth).
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "core/pod/quiet.h"

namespace appshot {

class Aftercare {
 public:
  explicit Aftercare(Quiet& quiet) : quiet_(quiet) {}

  void start();
  void close();
  // `work` may throw Error, which is nobody's: what it was for has gone meanwhile.
  void add(std::function<void()> work);

 private:
  void run();

  Quiet& quiet_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace appshot
