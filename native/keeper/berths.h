// Berths made in advance, by image.
#pragma once

#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "keeper/berth.h"

namespace appshot {

class Keeper;

class Berths {
 public:
  explicit Berths(Keeper& keeper) : keeper_(keeper) {}

  // One for instances of the image, made now where there is none.
  Berth take(const std::string& imageId, const InstanceSpec& spec);
  // Sees to it that there are `count`, with these files (paths inside) in their layers already. Errors are nobody's: the next take
  // tells them.
  void prepare(const std::string& imageId, const InstanceSpec& spec, size_t count, const std::vector<std::string>& written = {});
  // The image is another one now, or gone.
  void drop(const std::string& imageId);
  void close();

 private:
  struct Ready {
    std::vector<std::string> layers;     // of the image that they were made for
    std::list<Berth> berths;
  };

  Keeper& keeper_;
  std::mutex mutex_;
  std::map<std::string, Ready> ready_;
};

}  // namespace appshot
