#include "core/restore/restore.h"

#include "core/image/codec.h"
#include "core/image/environment.h"
#include "core/image/image.h"

namespace appshot {

std::shared_ptr<Image> openImage(const std::string& imageDir) {
  auto image = std::make_shared<Image>(imageDir);
  checkEnvironment(image->state().environment);
  image->verifyPages();
  return image;
}

const State& imageState(const Image& image) { return image.state(); }

const std::string& imageMeta(const Image& image) { return image.meta(); }

std::string describeImage(const Image& image) { return describeState(image.state()); }

}  // namespace appshot
