#include "keeper/image_shelf.h"

#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "core/sys/sys.h"

namespace appshot {

using Json = nlohmann::json;

namespace {

Json description(const Places& places, const std::string& id) {
  return Json::parse(readFileIfThere(places.image(id) + "/layers.json"), nullptr, false);
}

}  // namespace

std::vector<std::string> imagesIn(const Places& places) {
  std::vector<std::string> ids;
  for (auto& id : listDirectory(places.images())) {
    if (id[0] != '.') ids.push_back(std::move(id));
  }
  return ids;
}

void requireImage(const Places& places, const std::string& id) {
  struct stat st;
  if (::stat(places.image(id).c_str(), &st) != 0) throw Error("not-found", "there is no image " + id);
}

std::vector<std::string> layersOfImage(const Places& places, const std::string& id) {
  Json json = description(places, id);
  std::vector<std::string> layers;
  if (!json.is_object() || !json.contains("layers") || !json["layers"].is_array()) return layers;
  for (const auto& layer : json["layers"]) {
    if (layer.is_string()) layers.push_back(layer);
  }
  return layers;
}

uint64_t bytesOfImage(const Places& places, const std::string& id) {
  Json json = description(places, id);
  return json.is_object() && json.contains("bytes") && json["bytes"].is_number_unsigned() ? json["bytes"].get<uint64_t>() : 0;
}

}  // namespace appshot
