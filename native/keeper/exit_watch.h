// Hears from the inits of the pods which processes have ended.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "core/sys/unique_fd.h"
#include "keeper/instance.h"

namespace appshot {

class ExitWatch {
 public:
  // `onEmpty`: no process of the instance is left. Called on the watch's thread, which must not be kept waiting.
  explicit ExitWatch(std::function<void(InstancePtr)> onEmpty) : onEmpty_(std::move(onEmpty)) {}

  void start();
  void close();
  void add(const InstancePtr& instance);
  void remove(const InstancePtr& instance);
  // Looks itself whether anything is left; for ends that no init hears of (a guest's). True when nothing is.
  bool check(const InstancePtr& instance);

 private:
  void run();
  void readRecords(const InstancePtr& instance);
  void lookAgain();

  std::function<void(InstancePtr)> onEmpty_;
  UniqueFd epoll_, wake_;
  std::mutex mutex_;
  std::map<int, InstancePtr> watched_;   // by the descriptor of the init's pipe
  std::map<int, int> doubtful_;          // said to be empty and found not to be: how often it is still looked at
  std::thread thread_;
};

}  // namespace appshot
