// The resident zygotes: one an image, built by the first clone or in advance.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/restore/restore.h"
#include "keeper/embryos.h"
#include "keeper/instance.h"

namespace appshot {

class Keeper;

// A zygote and the view that its files were mapped from.
struct ResidentZygote {
  explicit ResidentZygote(Keeper& keeper) : embryos(keeper) {}

  std::string imageId;
  std::shared_ptr<Image> image;
  std::unique_ptr<Zygote> zygote;
  InstancePtr view;                      // an instance without processes: its pod shows the template's files
  Embryos embryos;                       // clones that wait for somebody to want them
};

class Zygotes {
 public:
  explicit Zygotes(Keeper& keeper) : keeper_(keeper) {}

  // The image's zygote; builds it where there is none, or where the image is another by now. Throws Error.
  std::shared_ptr<ResidentZygote> get(const std::string& imageId);
  // The zygote ends when the last clone that is being made from it has been.
  void drop(const std::string& imageId);
  // Gives up the embryos that are meant, of all zygotes; false when there were none.
  bool releaseEmbryos(const std::function<bool(const Unborn&)>& isMeant);
  void close();

 private:
  std::shared_ptr<ResidentZygote> build(const std::string& imageId, const std::shared_ptr<Image>& image);

  Keeper& keeper_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<ResidentZygote>> resident_;
  std::map<std::string, std::unique_ptr<std::mutex>> building_;
};

}  // namespace appshot
