#include "core/restore/written_files.h"

#include <fcntl.h>

#include <set>

#include "core/image/image.h"

namespace appshot {

std::vector<std::string> writtenFiles(const Image& image) {
  std::set<std::string> paths;
  for (const OpenFile& file : image.state().files)
    if (file.kind == static_cast<uint32_t>(FileKind::Regular) && !file.deleted && (file.flags & O_ACCMODE) != O_RDONLY) paths.insert(file.path);
  for (const MappedFile& file : image.state().mappedFiles)
    if (file.writable && !file.deleted) paths.insert(file.path);
  return {paths.begin(), paths.end()};
}

}  // namespace appshot
