// Copies, merges and syncs the directory trees of overlay layers, with everything that means something to overlayfs: whiteouts
// (character devices 0:0), opaque directories (extended attributes), owners, modes and times.
#pragma once

#include <cstdint>
#include <string>

namespace appshot {

enum class LayerFiles {
  kCopied,     // reflinked where the file system can, else copied
  kLinked,     // hard links: only when neither side is ever written again
};

// Copies what is in directory `from` into the existing, empty directory `to`, and makes `to` itself look the same.
void copyLayerTree(const std::string& from, const std::string& to, LayerFiles files);

// Puts layer `from` on top of what is in `to` (hard links).
void mergeLayerTree(const std::string& from, const std::string& to);

void syncLayerTree(const std::string& path);
uint64_t bytesInLayerTree(const std::string& path);

}  // namespace appshot
