// What of a restore can be worked out before anybody waits for it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/restore/wake_options.h"
#include "core/restore/restore.h"
#include "core/sys/unique_fd.h"

namespace appshot {

class StatusPage;

// Processes that are being restored and wait for somebody to want them, if nobody does yet: all their memory is being filled, and
// nothing of them runs. They end with their pod.
class WakeUnderWay {
 public:
  explicit WakeUnderWay(const Pod& pod);
  ~WakeUnderWay();

  // To be called once the pod's mount namespace shows the instance's file view. Throws Error; the caller then takes the pod down.
  void furnish();
  // What it took to begin.
  const PhasesUs& begun() const { return begun_; }
  // Waits until it is furnished and there is a first process. Throws Error; the caller then takes the pod down.
  void awaitRoot();
  // After that, the first process: its pid on the node, or -1 when it has ended by now (await() says why), and its own.
  pid_t root() const { return root_; }
  pid_t rootVpid() const;
  // Waits until they have opened their files: from then on they can be connected to.
  void awaitFiles() const;
  // Lets them run as soon as they are there. Those that a signal had stopped stand again before that. Throws Error as await() does.
  void go();
  // Returns when they run; go() has been said. The phases are those of waiting for it. Throws Error; the caller then takes the pod down.
  Restored await();

 private:
  friend class PreparedWake;

  std::shared_ptr<Image> image_;
  std::shared_ptr<const std::vector<std::string>> steps_;
  std::unique_ptr<StatusPage> status_;
  const Pod& pod_;
  uint64_t request_ = 0;  // to the nursery
  pid_t root_ = -1;
  double wentUs_ = 0;
  PhasesUs begun_;
};

// The tape and the plans for filling memory, compiled from an image and the working set that stands beside it. Holds the image
// open; good for any number of restores.
class PreparedWake {
 public:
  // Throws Error `unsupported-state`, `environment-mismatch`.
  explicit PreparedWake(std::shared_ptr<Image> image, WakeOptions wake = {});

  // The same with these options, for this pod: another tape, which takes a millisecond.
  std::unique_ptr<PreparedWake> with(WakeOptions options, const Pod& pod) const;

  const Image& image() const { return *image_; }

  // Begins to restore all processes into `pod`, which outlives the result. They need no files of the instance before it is furnished.
  // Throws Error; the caller then takes the pod down.
  std::unique_ptr<WakeUnderWay> begin(const Pod& pod) const;

 private:
  std::shared_ptr<Image> image_;
  std::shared_ptr<const std::vector<std::string>> steps_;
  uint64_t regionBase_ = 0, regionBytes_ = 0, header_ = 0;
  UniqueFd tape_;
  UniqueFd plans_;  // none where all memory is filled first
};

}  // namespace appshot
