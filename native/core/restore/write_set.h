// The pages that clones of a template get of their own, or touch, when they serve their first request. Each would be a fault of
// 0.3 to 2 µs on the visitor's clock; a clone that waits has the time to take them before.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <vector>

#include "core/image/model.h"
#include "core/sys/unique_fd.h"
#include "restorer/tape.h"

namespace appshot {

class WriteSet {
 public:
  // A look at one clone: its processes are added one by one.
  void beginLook() { looks_++; }
  // Adds what process `pid`, known as `vpid` in its pod, has of its own now. Nothing where it has ended.
  void add(int32_t vpid, pid_t pid);
  // Enough clones have been looked at to tell what every one of them writes from what one did by chance: before that, nothing is known.
  bool isSettled() const { return looks_ >= kLooks; }
  // How many pages are known.
  size_t size() const;
  enum class Want { kAll, kWritten, kOnlyRead };
  // Those of the process that is known as `vpid`, with the advice that makes them present; nothing before it is settled.
  std::vector<PrefaultRun> runs(int32_t vpid, Want want) const;

 private:
  static constexpr int kLooks = 3;

  using Pages = std::map<uint64_t, int>;  // address -> how many of those that were looked at had written it
  std::map<int32_t, Pages> pages_;        // by virtual pid
  int looks_ = 0;
};

// As the restorer reads it (struct PrefaultHeader): the runs of each process of an image.
UniqueFd listOfPages(const std::vector<std::vector<PrefaultRun>>& processes);

}  // namespace appshot
