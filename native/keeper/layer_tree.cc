#include "keeper/layer_tree.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <vector>

#include "core/sys/sys.h"

namespace fs = std::filesystem;

namespace appshot {

namespace {

struct stat statusOf(const std::string& path) {
  struct stat st {};
  sys("look at " + path, [&] { return ::lstat(path.c_str(), &st); });
  return st;
}

bool isWhiteout(const struct stat& st) { return S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0); }

bool isOpaque(const std::string& path) {
  char value = 0;
  return ::lgetxattr(path.c_str(), "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

void copyAttributes(const std::string& from, const std::string& to) {
  ssize_t size = ::llistxattr(from.c_str(), nullptr, 0);
  if (size <= 0) return;
  std::string names(static_cast<size_t>(size), '\0');
  size = sys("list attributes of " + from, [&] { return ::llistxattr(from.c_str(), names.data(), names.size()); });
  for (const char* name = names.data(); name < names.data() + size; name += std::string(name).size() + 1) {
    std::string value(65536, '\0');
    ssize_t length = ::lgetxattr(from.c_str(), name, value.data(), value.size());
    if (length < 0) continue;
    // Attributes of a security module may be refused; they are none of overlayfs's.
    if (::lsetxattr(to.c_str(), name, value.data(), static_cast<size_t>(length), 0) != 0 && std::string(name).rfind("trusted.", 0) == 0) {
      throwErrno("set attribute " + std::string(name) + " of " + to, errno);
    }
  }
}

void copyLook(const std::string& from, const std::string& to, const struct stat& st) {
  sys("set owner of " + to, [&] { return ::lchown(to.c_str(), st.st_uid, st.st_gid); });
  if (!S_ISLNK(st.st_mode)) sys("set mode of " + to, [&] { return ::chmod(to.c_str(), st.st_mode & 07777); });
  copyAttributes(from, to);
  timespec times[2] = {st.st_atim, st.st_mtim};
  sys("set times of " + to, [&] { return ::utimensat(AT_FDCWD, to.c_str(), times, AT_SYMLINK_NOFOLLOW); });
}

void copyContents(int in, int out, const std::string& to, off_t size) {
  if (::ioctl(out, FICLONE, in) == 0) return;
  sys("size " + to, [&] { return ::ftruncate(out, size); });
  // Holes stay holes.
  for (off_t at = 0; at < size;) {
    off_t start = ::lseek(in, at, SEEK_DATA);
    if (start < 0) return;
    off_t end = sys("find data in " + to, [&] { return ::lseek(in, start, SEEK_HOLE); });
    for (at = start; at < end;) {
      off_t inAt = at, outAt = at;
      ssize_t n = sys("copy to " + to, [&] { return ::copy_file_range(in, &inAt, out, &outAt, static_cast<size_t>(end - at), 0); });
      if (n == 0) return;
      at += n;
    }
  }
}

void copyFile(const std::string& from, const std::string& to, const struct stat& st) {
  UniqueFd in = sysFd("open " + from, [&] { return ::open(from.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC); });
  UniqueFd out = sysFd("make " + to, [&] { return ::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600); });
  copyContents(in.get(), out.get(), to, st.st_size);
}

void link(const std::string& from, const std::string& to) {
  sys("link " + to, [&] { return ::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), 0); });
}

// Several names of one file stay so: inode of the source -> the copy's first name.
using HardLinks = std::map<ino_t, std::string>;

void copyEntry(const std::string& from, const std::string& to, LayerFiles files, HardLinks& links);

void copyDirectory(const std::string& from, const std::string& to, LayerFiles files, HardLinks& links) {
  for (const auto& name : listDirectory(from)) copyEntry(from + "/" + name, to + "/" + name, files, links);
  copyLook(from, to, statusOf(from));
}

void copyEntry(const std::string& from, const std::string& to, LayerFiles files, HardLinks& links) {
  struct stat st = statusOf(from);
  if (S_ISDIR(st.st_mode)) {
    sys("make " + to, [&] { return ::mkdir(to.c_str(), 0700); });
    copyDirectory(from, to, files, links);
    return;
  }
  if (files == LayerFiles::kLinked) return link(from, to);
  if (st.st_nlink > 1) {
    auto [known, isNew] = links.try_emplace(st.st_ino, to);
    if (!isNew) return link(known->second, to);
  }
  if (S_ISREG(st.st_mode)) {
    copyFile(from, to, st);
  } else if (S_ISLNK(st.st_mode)) {
    sys("make " + to, [&] { return ::symlink(readLink(from).c_str(), to.c_str()); });
  } else {
    sys("make " + to, [&] { return ::mknod(to.c_str(), st.st_mode, st.st_rdev); });
  }
  copyLook(from, to, st);
}

void removeTree(const std::string& path) {
  std::error_code failed;
  fs::remove_all(path, failed);
  if (failed) throw Error("internal", "remove " + path + ": " + failed.message());
}

void mergeEntry(const std::string& from, const std::string& to) {
  struct stat above = statusOf(from);
  struct stat below {};
  bool isThere = ::lstat(to.c_str(), &below) == 0;
  HardLinks none;
  if (!S_ISDIR(above.st_mode)) {
    // A whiteout stays one: there is always the host's layer below.
    if (isThere) removeTree(to);
    return copyEntry(from, to, LayerFiles::kLinked, none);
  }
  bool joins = isThere && S_ISDIR(below.st_mode) && !isOpaque(from);
  if (joins) return mergeLayerTree(from, to);
  bool hidesHost = isThere && (isWhiteout(below) || !S_ISDIR(below.st_mode));
  if (isThere) removeTree(to);
  copyEntry(from, to, LayerFiles::kLinked, none);
  // A directory on top of a file or a whiteout hides what is further below, as overlayfs would have it.
  if (hidesHost) sys("mark opaque " + to, [&] { return ::setxattr(to.c_str(), "trusted.overlay.opaque", "y", 1, 0); });
}

}  // namespace

void copyLayerTree(const std::string& from, const std::string& to, LayerFiles files) {
  HardLinks links;
  copyDirectory(from, to, files, links);
}

void mergeLayerTree(const std::string& from, const std::string& to) {
  bool opaque = isOpaque(to);
  for (const auto& name : listDirectory(from)) mergeEntry(from + "/" + name, to + "/" + name);
  copyLook(from, to, statusOf(from));
  if (opaque) sys("mark opaque " + to, [&] { return ::setxattr(to.c_str(), "trusted.overlay.opaque", "y", 1, 0); });
}

void syncLayerTree(const std::string& path) {
  struct stat st = statusOf(path);
  if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) return;
  if (S_ISDIR(st.st_mode)) {
    for (const auto& name : listDirectory(path)) syncLayerTree(path + "/" + name);
  }
  UniqueFd fd = sysFd("open " + path, [&] { return ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC); });
  sys("sync " + path, [&] { return ::fsync(fd.get()); });
}

uint64_t bytesInLayerTree(const std::string& path) {
  struct stat st = statusOf(path);
  uint64_t bytes = static_cast<uint64_t>(st.st_blocks) * 512;
  if (!S_ISDIR(st.st_mode)) return bytes;
  for (const auto& name : listDirectory(path)) bytes += bytesInLayerTree(path + "/" + name);
  return bytes;
}

}  // namespace appshot
