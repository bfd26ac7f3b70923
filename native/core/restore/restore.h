// Restore and clone: brings the processes of an image up inside a pod.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/pod/pod.h"
#include "core/snapshot/snapshot.h"

namespace appshot {

struct Restored {
  pid_t root = -1;            // host pid of the root process of the tree
  PhasesUs phases;
};

// What differs between one clone and the next.
struct Personal {
  bool isClone = false;       // a clone: reseed, new identity; otherwise the same instance comes back
  std::string aid;
};

// An opened and verified image.
class Image;
std::shared_ptr<Image> openImage(const std::string& imageDir);      // throws Error `image-invalid`, `environment-mismatch`
const std::string& imageMeta(const Image& image);                  // what SnapshotRequest::meta was
std::string describeImage(const Image& image);                      // JSON for `inspect`

// Restores all processes into `pod`, whose mount namespace already shows the instance's file view.
// When it returns they run.
Restored restoreImage(const std::shared_ptr<Image>& image, const Pod& pod, const Personal& personal);

// A process that holds the template's memory and forks clones of it.
class Zygote {
 public:
  // `viewPid`: a process whose mount namespace shows the template's files (lower layers only).
  static std::unique_ptr<Zygote> build(const std::shared_ptr<Image>& image, pid_t viewPid);
  virtual ~Zygote() = default;  // kills it
  // Returns when the clone has confirmed that it has random numbers of its own. Throws Error when it did not in time: the
  // caller then takes the pod down.
  virtual Restored clone(const Pod& pod, const Personal& personal) = 0;
  virtual pid_t pid() const = 0;
};

}  // namespace appshot
