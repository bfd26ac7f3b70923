// Which files of its view a program writes to.
#pragma once

#include <string>
#include <vector>

namespace appshot {

class Image;

// Paths, inside, of the files that the image's processes have open for writing or mapped so that they may write. Each once.
std::vector<std::string> writtenFiles(const Image& image);

}  // namespace appshot
