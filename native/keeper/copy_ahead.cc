#include "keeper/copy_ahead.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "core/sys/sys.h"

namespace appshot {

namespace {

// A sleeping instance takes so much more of the disk, and whoever comes after it waits so long.
constexpr uint64_t kMostBytes = 256ull << 20;
// The disk shall not fill up with what may never be needed.
constexpr uint64_t kPartOfFree = 50;

UniqueFd openIn(int root, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)));
}

uint64_t roomFor(int tree) {
  struct statvfs disk {};
  if (::fstatvfs(tree, &disk) != 0) return 0;
  return std::min(kMostBytes, static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize / kPartOfFree);
}

}  // namespace

void copyAhead(const Berth& berth, const InstanceSpec& spec, const std::vector<std::string>& paths) {
  uint64_t room = roomFor(berth.detached.trees[0].get());
  for (const std::string& path : paths) {
    bool isBound = isBelow(path, "/run/appshot") ||
                   std::any_of(spec.binds.begin(), spec.binds.end(), [&](const ViewBind& bind) { return isBelow(path, bind.at); });
    if (isBound || isBelow(path, "/proc") || isBelow(path, "/sys")) continue;
    bool inCwd = spec.ownTreeForCwd && isBelow(path, spec.cwd);
    int tree = berth.detached.trees[inCwd ? 1 : 0].get();
    std::string inside = inCwd ? path.substr(spec.cwd.size()) : path;
    UniqueFd file = openIn(tree, inside, O_PATH);
    struct stat status {};
    if (!file.valid() || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    auto bytes = static_cast<uint64_t>(status.st_blocks) * 512;
    if (bytes > room) continue;
    // Opening it is what copies it. Where that fails, the wake tells.
    if (openIn(tree, inside, O_WRONLY | O_NONBLOCK).valid()) room -= bytes;
  }
}

}  // namespace appshot
