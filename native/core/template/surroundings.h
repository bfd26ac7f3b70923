// What of an instance is not in its processes, for the classes of its resources.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace appshot {

struct Surroundings {
  int port = 0;                            // by which it is reached; 0: none
  std::vector<std::string> volumes;        // shown as they are on the node
  uint64_t layerBytes = 0;                 // of the instance's own files
  std::string address;
};

}  // namespace appshot
