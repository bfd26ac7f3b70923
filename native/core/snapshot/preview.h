// The look at a tree that runs on: what is slow and does not change is read before the stop, and what cannot be saved is refused.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "core/pod/pod.h"
#include "core/snapshot/closed_doors.h"
#include "core/snapshot/collect_process.h"
#include "core/snapshot/path_finder.h"
#include "core/sys/error.h"

namespace appshot {

// Error `unsupported-state` that keeps apart what cannot be saved.
class UnsupportedState : public Error {
 public:
  explicit UnsupportedState(std::vector<std::string> names);
  // "pid 7 (node): fd 12 is an io_uring; not supported"
  const std::vector<std::string>& resources() const { return resources_; }

 private:
  std::vector<std::string> resources_;
};

struct Preview {
  std::map<pid_t, ProcessPreview> processes;  // by host pid
  PathFinder paths;                           // knows the files that are watched
};

// Stops nothing. Waits for memory that is still being filled. `ends`: the instance is to go to sleep, and its `doors` are closed.
// Throws UnsupportedState that names everything in the pod that cannot be saved: found by looking, then by a rehearsal of all that
// collecting will do. What may be there for a moment only (data on its way, a fork half done) is looked at several times.
Preview previewTree(const Pod& pod, bool ends, ClosedDoors& doors);

}  // namespace appshot
