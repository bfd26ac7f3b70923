#include "core/snapshot/collect_ghosts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string_view>

#include "core/snapshot/descriptor_info.h"
#include "core/sys/sys.h"

namespace appshot {

static constexpr std::string_view kMark = " (deleted)";
// Above this the copy would hold the program up for too long.
static constexpr int64_t kMaxGhostBytes = 64ll << 20;

bool isNameless(const std::string& link) { return endsWith(link, kMark); }

std::string placeAbove(pid_t pid, const std::string& path) {
  std::string root = "/proc/" + std::to_string(pid) + "/root", place = path;
  struct stat status{};
  do {
    size_t slash = place.rfind('/');
    place.resize(slash == std::string::npos || slash == 0 ? 0 : slash);
  } while (!place.empty() && (::stat((root + place).c_str(), &status) != 0 || !S_ISDIR(status.st_mode)));
  return place.empty() ? "/" : place;
}

uint32_t GhostCollector::ghost(const Found& found) {
  struct stat status{};
  sys("look at " + found.path, [&] { return ::stat(found.path.c_str(), &status); });
  std::string path = found.link.substr(0, found.link.size() - kMark.size());
  auto refuse = [&](const std::string& why) {
    throw Error("unsupported-state", found.what + " is the deleted file " + path + why + "; not supported");
  };
  bool isDirectory = S_ISDIR(status.st_mode);
  if (!S_ISREG(status.st_mode) && !isDirectory) refuse(", a special file");
  // One that lay in a lower layer is counted as if it were still there, but whoever writes to it has one of his own.
  if (!isDirectory && status.st_nlink > 0 && found.writes) refuse(", which has another name");
  if (!isDirectory && status.st_size > kMaxGhostBytes) refuse(" of more than 64 MiB");
  auto [at, isNew] = known_.try_emplace({status.st_dev, status.st_ino}, static_cast<uint32_t>(state_.ghosts.size()));
  if (!isNew) return at->second;
  state_.ghosts.push_back({path, placeAbove(found.pid, path), isDirectory, status.st_mode & 07777, status.st_uid, status.st_gid, ""});
  paths_.push_back(found.path);
  return at->second;
}

int32_t GhostCollector::ghostOfProgram(pid_t pid) {
  std::string path = "/proc/" + std::to_string(pid) + "/exe", link = readLink(path);
  return isNameless(link) ? static_cast<int32_t>(ghost({pid, "its program", link, path, false})) : -1;
}

void GhostCollector::save() {
  for (size_t i = 0; i < paths_.size(); i++) {
    GhostFile& file = state_.ghosts[i];
    if (file.directory) continue;
    // Opened again for reading: a descriptor of it may be write-only.
    UniqueFd reader = sysFd("open deleted file " + file.path, [&] { return ::open(paths_[i].c_str(), O_RDONLY | O_CLOEXEC); });
    struct stat status{};
    sys("look at deleted file " + file.path, [&] { return ::fstat(reader.get(), &status); });
    file.contents.resize(static_cast<size_t>(status.st_size));
    ssize_t n = sys("read deleted file " + file.path, [&] { return ::pread(reader.get(), file.contents.data(), file.contents.size(), 0); });
    file.contents.resize(static_cast<size_t>(n));
  }
}

}  // namespace appshot
