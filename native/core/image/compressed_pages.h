// pages.zst: the pages of an image that shall take less of the disk, in place of pages.bin. Each MiB is a zstd frame of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/sys/unique_fd.h"

namespace appshot {

// Puts the pages.bin of `directory`, of `bytes`, into a pages.zst and removes it. Returns the sizes of the frames, none when `goOn`
// said no. Does not sync. Throws Error.
std::vector<uint64_t> compressPages(const std::string& directory, uint64_t bytes, const std::function<bool()>& goOn);

// The same pages as they were, in a file without a name that takes disk as long as it is open. Throws Error `image-invalid` with the
// place and the reason.
UniqueFd decompressPages(const std::string& directory, uint64_t bytes, const std::vector<uint64_t>& frames);

}  // namespace appshot
