// What a new instance still needs once it answers, done when nobody waits: its stage is unmounted (the kernel waits for a grace
// period), its processes join the v1 cgroups (another one).
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "core/pod/pod.h"
#include "core/pod/quiet.h"

namespace appshot {

class Aftercare {
 public:
  explicit Aftercare(Quiet& quiet) : quiet_(quiet) {}

  void start();
  void close();
  void add(PodPtr pod);

 private:
  void run();

  Quiet& quiet_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<PodPtr> waiting_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace appshot
