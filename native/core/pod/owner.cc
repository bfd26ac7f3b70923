#include "core/pod/owner.h"

#include <cstdint>
#include <cstdio>

namespace appshot {

std::string ownerOf(const std::string& directory) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (unsigned char c : directory) hash = (hash ^ c) * 0x100000001b3u;
  char text[9];
  std::snprintf(text, sizeof text, "%08x", static_cast<unsigned>(hash ^ (hash >> 32)));
  return text;
}

std::string cgroupNameOf(const std::string& owner) { return "appshot-" + owner; }
std::string linkPrefixOf(const std::string& owner) { return "as" + owner + "."; }
std::string linkNameOf(const std::string& owner, unsigned number) { return linkPrefixOf(owner) + std::to_string(number); }
std::string tableNameOf(const std::string& owner) { return "appshot_" + owner; }

}  // namespace appshot
