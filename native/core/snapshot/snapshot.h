// Snapshot: stops every process of a pod at a consistent point and saves what they are.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/pod/pod.h"
#include "core/template/rule.h"
#include "core/template/surroundings.h"

namespace appshot {

class Image;

using PhasesUs = std::vector<std::pair<std::string, double>>;  // microseconds, in order

struct SnapshotRequest {
  const Pod* pod = nullptr;
  std::string imageDir;        // directory that will hold the image; made here, must not exist
  std::string meta;            // the keeper's own JSON, kept with the image as it is
  bool keepRunning = false;
  std::vector<Rule> rules;               // of the instance: kept unevaluated, as records of the image
  std::vector<std::string> redirects;    // where the REDIR rules lead in this instance, in their order
  Surroundings surroundings;             // for the classes of its resources
  // The image that the instance was woken from, if it was: what its first requests touched goes into the new one as a hint.
  std::string wokenFrom;
  // The same image, opened: the new one is a delta against it where that saves much. Null: the new one is whole.
  std::shared_ptr<const Image> earlier;
  // … which is of the same instance: what is new may be appended to its page file.
  bool earlierIsOwn = false;
  // Its pages are compressed, which makes wakes slower; it is whole then, and no base.
  bool compress = false;
  bool asyncIo = false;        // its programs may use io_uring and Linux AIO
  // Established connections to the outside are saved, and their peers not told of the end. Then `silence` has to be given, which
  // keeps packets away from the pod and lets them through again.
  bool keepOutside = false;
  std::function<void(bool silent)> silence;
  // Set by another thread when a visitor came: the snapshot is given up and the processes run on.
  const std::atomic<bool>* cancel = nullptr;
};

struct SnapshotResult {
  bool cancelled = false;
  uint64_t bytes = 0;          // written for the image: what it shares with others is not counted
  uint64_t pageBytes = 0;      // of that, in pages.bin
  bool keepsAddress = false;   // it has connections that go on only under the pod's address
  double stoppedUs = 0;        // how long no process of the pod could run, or could not have been let run on at once
  PhasesUs phases;
};

// Takes the snapshot into `imageDir`, synced and whole (file-system layer not included: that is the keeper's).
// Calls `whileStopped` once, when every process is stopped: the keeper saves or moves the file-system layer there.
// On return with keepRunning or cancelled the processes run on; otherwise `beforeEnd` was called (with what was written) after the image was safe
// and then the pod's processes were killed. Throws Error, and UnsupportedState (preview.h) before anything is stopped; the
// processes then run on and `imageDir` does not exist.
SnapshotResult takeSnapshot(const SnapshotRequest& request, const std::function<void()>& whileStopped,
                            const std::function<void(const SnapshotResult&)>& beforeEnd);

}  // namespace appshot
