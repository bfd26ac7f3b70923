#include "keeper/copy_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <memory>
#include <vector>

#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::vector<std::string> namesIn(int directory) {
  int fd = sysFd("open a directory", [&] { return ::openat(directory, ".", kDirectory); }).release();
  std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd), ::closedir);
  if (!stream) throwErrno("read a directory", errno);
  std::vector<std::string> names;
  while (dirent* entry = ::readdir(stream.get())) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  return names;
}

UniqueFd openDirectory(int parent, const std::string& name) {
  return sysFd("open directory " + name, [&] { return ::openat(parent, name.c_str(), kDirectory); });
}

void copyContents(int from, int to) {
  for (;;) {
    ssize_t n = ::copy_file_range(from, nullptr, to, nullptr, 1 << 30, 0);
    if (n == 0) return;
    if (n > 0) continue;
    if (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS) throwErrno("copy a file", errno);
    break;
  }
  std::string buffer(1 << 16, '\0');
  while (ssize_t n = sys("read a file", [&] { return ::read(from, buffer.data(), buffer.size()); })) writeAll(to, buffer.data(), static_cast<size_t>(n), "copy a file");
}

class TreeCopy {
 public:
  TreeCopy(uid_t uid, gid_t gid) : uid_(uid), gid_(gid) {}

  void copy(int fromParent, const std::string& fromName, int toParent, const std::string& toName) {
    struct stat status {};
    sys("look at " + fromName, [&] { return ::fstatat(fromParent, fromName.c_str(), &status, AT_SYMLINK_NOFOLLOW); });
    if (S_ISDIR(status.st_mode)) copyDirectory(fromParent, fromName, toParent, toName);
    else if (S_ISREG(status.st_mode)) copyFile(fromParent, fromName, toParent, toName);
    else if (S_ISLNK(status.st_mode)) copyLink(fromParent, fromName, toParent, toName);
    else if (S_ISFIFO(status.st_mode)) sys("make fifo " + toName, [&] { return ::mkfifoat(toParent, toName.c_str(), 0600); });
    else return;
    sys("give " + toName + " to the application", [&] { return ::fchownat(toParent, toName.c_str(), uid_, gid_, AT_SYMLINK_NOFOLLOW); });
    if (!S_ISLNK(status.st_mode)) sys("set mode of " + toName, [&] { return ::fchmodat(toParent, toName.c_str(), status.st_mode & 01777, 0); });
    timespec times[2] = {status.st_atim, status.st_mtim};
    sys("set times of " + toName, [&] { return ::utimensat(toParent, toName.c_str(), times, AT_SYMLINK_NOFOLLOW); });
  }

 private:
  void copyDirectory(int fromParent, const std::string& fromName, int toParent, const std::string& toName) {
    UniqueFd from = openDirectory(fromParent, fromName);
    std::vector<std::string> names = namesIn(from.get());
    sys("make directory " + toName, [&] { return ::mkdirat(toParent, toName.c_str(), 0700); });
    UniqueFd to = openDirectory(toParent, toName);
    for (const std::string& name : names) copy(from.get(), name, to.get(), name);
  }

  void copyFile(int fromParent, const std::string& fromName, int toParent, const std::string& toName) {
    UniqueFd from = sysFd("open " + fromName, [&] { return ::openat(fromParent, fromName.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC); });
    UniqueFd to = sysFd("make " + toName, [&] { return ::openat(toParent, toName.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600); });
    copyContents(from.get(), to.get());
  }

  void copyLink(int fromParent, const std::string& fromName, int toParent, const std::string& toName) {
    char target[PATH_MAX]{};
    sys("read link " + fromName, [&] { return ::readlinkat(fromParent, fromName.c_str(), target, sizeof target - 1); });
    sys("make link " + toName, [&] { return ::symlinkat(target, toParent, toName.c_str()); });
  }

  uid_t uid_;
  gid_t gid_;
};

void removeAt(int parent, const std::string& name) {
  if (::unlinkat(parent, name.c_str(), 0) == 0) return;
  if (errno != EISDIR && errno != EPERM) throwErrno("remove " + name, errno);
  UniqueFd directory = openDirectory(parent, name);
  for (const std::string& inside : namesIn(directory.get())) removeAt(directory.get(), inside);
  sys("remove directory " + name, [&] { return ::unlinkat(parent, name.c_str(), AT_REMOVEDIR); });
}

// What is opened for writing, or given to whom it belongs already, is copied up.
void copyUpAt(int parent, const std::string& name) {
  struct stat status {};
  sys("look at " + name, [&] { return ::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW); });
  if (S_ISREG(status.st_mode)) {
    sysFd("copy up " + name, [&] { return ::openat(parent, name.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC); });
    return;
  }
  sys("copy up " + name, [&] { return ::fchownat(parent, name.c_str(), status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW); });
  if (!S_ISDIR(status.st_mode)) return;
  UniqueFd directory = openDirectory(parent, name);
  for (const std::string& inside : namesIn(directory.get())) copyUpAt(directory.get(), inside);
}

}  // namespace

bool Entry::exists() const {
  struct stat status;
  return parent.valid() && ::fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

Entry openEntry(const std::string& path, bool make, uid_t uid, gid_t gid) {
  Entry entry;
  entry.name = path.substr(path.rfind('/') + 1);
  UniqueFd at = sysFd("open /", [&] { return ::open("/", kDirectory); });
  for (size_t start = 1, slash; (slash = path.find('/', start)) != std::string::npos; start = slash + 1) {
    std::string name = path.substr(start, slash - start);
    bool made = make && ::mkdirat(at.get(), name.c_str(), 0755) == 0;
    if (make && !made && errno != EEXIST) throwErrno("make directory " + path.substr(0, slash), errno);
    if (made) sys("give a directory to the application", [&] { return ::fchownat(at.get(), name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW); });
    int next = ::openat(at.get(), name.c_str(), kDirectory);
    if (next < 0 && errno == ENOENT) return entry;
    if (next < 0) throwErrno("open directory " + path.substr(0, slash) + " on the way to " + path, errno);
    at = UniqueFd(next);
  }
  entry.parent = std::move(at);
  return entry;
}

void copyTree(const Entry& from, const Entry& to, uid_t uid, gid_t gid) {
  TreeCopy(uid, gid).copy(from.parent.get(), from.name, to.parent.get(), to.name);
}

void copyUp(const Entry& entry) { copyUpAt(entry.parent.get(), entry.name); }

void removeTree(const Entry& entry) { removeAt(entry.parent.get(), entry.name); }

}  // namespace appshot
