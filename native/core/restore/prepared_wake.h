// What of a restore can be worked out before anybody waits for it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/restore/wake_options.h"
#include "core/restore/restore.h"
#include "core/sys/unique_fd.h"

namespace appshot {

// The tape and the plans for filling memory, compiled from an image and the working set that stands beside it. Holds the image
// open; good for any number of restores.
class PreparedWake {
 public:
  // Throws Error `unsupported-state`, `environment-mismatch`.
  explicit PreparedWake(std::shared_ptr<Image> image, WakeOptions wake = {});

  // The same with these options, for this pod: another tape, which takes a millisecond.
  std::unique_ptr<PreparedWake> with(WakeOptions options, const Pod& pod) const;

  const Image& image() const { return *image_; }

  // Restores all processes into `pod`, whose mount namespace already shows the instance's file view. When it returns they run.
  // Throws Error; the caller then takes the pod down.
  Restored restore(const Pod& pod) const;

 private:
  std::shared_ptr<Image> image_;
  std::vector<std::string> steps_;
  uint64_t regionBase_ = 0, regionBytes_ = 0, header_ = 0;
  UniqueFd tape_;
  UniqueFd plans_;  // none where all memory is filled first
};

}  // namespace appshot
