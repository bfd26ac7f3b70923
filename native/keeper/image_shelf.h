// The images of an engine: DIR/images/<id>, each with a list of the file-system layers that it needs.
#pragma once

#include <string>
#include <vector>

#include "keeper/places.h"

namespace appshot {

// Ids of whole images.
std::vector<std::string> imagesIn(const Places& places);
// Throws Error `not-found`.
void requireImage(const Places& places, const std::string& id);
// Uppermost first. Empty when the list cannot be read: the image then cannot be restored, but it can be removed.
std::vector<std::string> layersOfImage(const Places& places, const std::string& id);
uint64_t bytesOfImage(const Places& places, const std::string& id);

}  // namespace appshot
