// The pages that clones of a template get of their own, or touch, when they serve their first request. Each would be a fault of
// 0.3 to 2 µs on the visitor's clock; a clone that waits has the time to take them before.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>

#include "core/image/model.h"
#include "core/sys/unique_fd.h"

namespace appshot {

class WriteSet {
 public:
  // Adds what process `pid`, known as `vpid` in its pod, has of its own now. Nothing where it has ended.
  void add(int32_t vpid, pid_t pid);
  // A few clones have been looked at: the next would not tell more.
  bool isSettled() const { return looks_ >= kMostLooks; }
  size_t size() const;
  // As the restorer reads it (struct PrefaultHeader), for the processes of `state`.
  UniqueFd toMemfd(const State& state) const;

 private:
  static constexpr int kMostLooks = 6;

  using Pages = std::map<uint64_t, bool>;  // address -> written
  std::map<int32_t, Pages> pages_;         // by virtual pid
  int looks_ = 0;
};

}  // namespace appshot
