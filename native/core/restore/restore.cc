#include "core/restore/restore.h"

#include <algorithm>

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

in_addr addressOfConnections(const Image& image) {
  const std::vector<OpenFile>& files = image.state().files;
  bool any = std::any_of(files.begin(), files.end(), [](const OpenFile& file) { return file.tcp.kept; });
  return {any ? image.state().ownAddress : 0};
}

}  // namespace appshot
