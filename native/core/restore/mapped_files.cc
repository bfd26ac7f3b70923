#include "core/restore/mapped_files.h"

#include <sys/stat.h>

#include <string>

#include "core/image/build_id.h"
#include "core/sys/error.h"

namespace appshot {

void checkMappedFiles(const State& state, int view) {
  for (const MappedFile& file : state.mappedFiles) {
    if (file.deleted) continue;  // it is in the image
    std::string path = "/proc/self/fd/" + std::to_string(view) + file.path;
    struct stat status{};
    if (::stat(path.c_str(), &status) < 0)
      throw Error("environment-mismatch", "the program's file " + file.path + " is gone; deploy the app again", errno);
    bool sameSize = static_cast<uint64_t>(status.st_size) == file.size;
    int64_t mtimeNs = status.st_mtim.tv_sec * 1'000'000'000ll + status.st_mtim.tv_nsec;
    if (sameSize && (mtimeNs == file.mtimeNs || file.writable)) continue;
    // Installed again: the same code has the same build-id. Only then is the file looked into: a visitor may be waiting.
    if (sameSize && !file.buildId.empty() && buildIdOf(path) == file.buildId) continue;
    throw Error("environment-mismatch", "the program's file " + file.path + " was changed since the image was made; deploy the app again");
  }
}

}  // namespace appshot
