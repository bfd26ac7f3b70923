#include "keeper/furniture.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vector>

#include "core/sys/sys.h"

namespace appshot {

namespace {

int openIn(int root, const std::string& path, int flags, unsigned mode = 0) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how));
}

// In a mount that is attached nowhere, /proc shows paths from the mount's own root.
std::string pathOf(int fd) { return readLink("/proc/self/fd/" + std::to_string(fd)); }

std::string parentOf(const std::string& path) {
  size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

std::string lastOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

UniqueFd openDirectories(int root, const std::string& path) {
  UniqueFd there(openIn(root, path, O_RDONLY | O_DIRECTORY));
  if (there.valid()) return there;
  if (errno != ENOENT) throwErrno("open " + path + " in the view", errno);
  UniqueFd parent = openDirectories(root, parentOf(path));
  std::string name = lastOf(path);
  if (::mkdirat(parent.get(), name.c_str(), 0755) != 0 && errno != EEXIST) throwErrno("make " + path + " in the view", errno);
  return sysFd("open " + path + " in the view", [&] { return openIn(root, path, O_RDONLY | O_DIRECTORY); });
}

void writeIn(int root, const std::string& path, const std::string& text, int how) {
  UniqueFd parent = openDirectories(root, parentOf(path));
  UniqueFd fd = sysFd("open " + path + " in the view", [&] { return openIn(root, path, O_WRONLY | O_CREAT | how, 0644); });
  writeAll(fd.get(), text.data(), text.size(), "write " + path + " in the view");
}

}  // namespace

std::string makeDirectoriesIn(int root, const std::string& path) { return pathOf(openDirectories(root, path).get()); }

std::string makeMountPointIn(int root, const std::string& path, const std::string& from) {
  struct stat st {};
  sys("look at " + from, [&] { return ::stat(from.c_str(), &st); });
  if (S_ISDIR(st.st_mode)) return makeDirectoriesIn(root, path);
  UniqueFd parent = openDirectories(root, parentOf(path));
  UniqueFd file = sysFd("make " + path + " in the view", [&] { return openIn(root, path, O_WRONLY | O_CREAT, 0644); });
  return pathOf(file.get());
}

void ownDirectoryIn(int root, const std::string& path, uid_t uid, gid_t gid) {
  UniqueFd fd = sysFd("open " + path + " in the view", [&] { return openIn(root, path, O_RDONLY | O_DIRECTORY); });
  struct stat st {};
  sys("look at " + path, [&] { return ::fstat(fd.get(), &st); });
  sys("give " + path + " to the application", [&] { return ::fchown(fd.get(), uid, gid); });
  sys("open " + path + " to the application", [&] { return ::fchmod(fd.get(), (st.st_mode & 07777) | 0700); });
}

void writeFileIn(int root, const std::string& path, const std::string& text) { writeIn(root, path, text, O_TRUNC); }
void appendFileIn(int root, const std::string& path, const std::string& text) { writeIn(root, path, text, O_APPEND); }

}  // namespace appshot
