// Images and zygotes: what instances are made from. A sleeping instance comes back by prepared_wake.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/pod/pod.h"
#include "core/snapshot/snapshot.h"

namespace appshot {

struct Restored {
  pid_t root = -1;            // host pid of the root process of the tree
  size_t processes = 0;
  PhasesUs phases;
};

// An opened and verified image.
class Image;
struct State;
std::shared_ptr<Image> openImage(const std::string& imageDir);      // throws Error `image-invalid`, `environment-mismatch`
const State& imageState(const Image& image);
const std::string& imageMeta(const Image& image);                  // what SnapshotRequest::meta was
std::string describeImage(const Image& image);                      // JSON for `inspect`

// The address under which the instance's connections to the outside go on; 0 when it has none.
in_addr addressOfConnections(const Image& image);

// A clone that has its processes with all their threads and waits: nothing of its program has run, and it is nobody yet. Its clocks
// go since it was made. It ends with its pod.
class Embryo {
 public:
  virtual ~Embryo() = default;
  virtual pid_t root() const = 0;     // host pid of the root process
  virtual pid_t rootVpid() const = 0;
  virtual size_t processes() const = 0;
  // Lets it run. Once, and followed by await().
  virtual void go() = 0;
  // Returns when the program runs and has variables and random numbers of its own. Throws Error when that did not happen within
  // `withinMs`: the caller then takes the pod down.
  virtual void await(int withinMs) = 0;
};

// A process that holds the template's memory and forks clones of it.
class Zygote {
 public:
  // `view`: shows the template's files (lower layers only).
  static std::unique_ptr<Zygote> build(const std::shared_ptr<Image>& image, const Pod& view);
  virtual ~Zygote() = default;  // kills it; embryos live on
  // A clone in `pod`, whose mount namespace already shows the file view. Returns when it waits.
  virtual std::unique_ptr<Embryo> fork(const Pod& pod) = 0;
  // Looks which pages the clone in `pod`, which was given none, has of its own by now: when some have been looked at, those that
  // follow get before they run what most had.
  virtual void learnFrom(const Pod& pod) = 0;
  // How many pages that are.
  virtual size_t knownPages() = 0;
  virtual pid_t pid() const = 0;
};

}  // namespace appshot
