#include "core/pod/file_view.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/pod/thread_namespace.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

// The calls exist since Linux 5.2 (mount_setattr: 5.12); older C libraries have no functions for them.
int fsopen(const char* kind) { return static_cast<int>(::syscall(SYS_fsopen, kind, FSOPEN_CLOEXEC)); }
int fsconfig(int fd, unsigned command, const char* key, const char* value) {
  return static_cast<int>(::syscall(SYS_fsconfig, fd, command, key, value, 0));
}
int fsmount(int fd, unsigned attributes) { return static_cast<int>(::syscall(SYS_fsmount, fd, FSMOUNT_CLOEXEC, attributes)); }
int moveMount(int from, const char* to) {
  return static_cast<int>(::syscall(SYS_move_mount, from, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH));
}

// What the kernel wrote into the context about a refusal.
std::string contextMessages(int fd) {
  std::string text;
  char buffer[1024];
  for (ssize_t n; (n = ::read(fd, buffer, sizeof buffer)) > 0;) text += std::string(buffer, static_cast<size_t>(n));
  return text;
}

void setOption(int fd, const char* key, const std::string& value) {
  if (fsconfig(fd, FSCONFIG_SET_STRING, key, value.c_str()) != 0) {
    int err = errno;
    throwErrno("overlay option " + std::string(key) + "=" + value + " " + contextMessages(fd), err);
  }
}

// Directories are named to the kernel by descriptor: an option may have only 255 bytes, and what /proc/mounts shows inside an
// instance then tells nothing about the host.
class NamedByDescriptor {
 public:
  std::string name(const std::string& path) {
    fds_.push_back(sysFd("open layer " + path, [&] { return ::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); }));
    return "/proc/self/fd/" + std::to_string(fds_.back().get());
  }

 private:
  std::vector<UniqueFd> fds_;
};

UniqueFd cloneTree(const ViewBind& bind) {
  UniqueFd tree = sysFd("open " + bind.from, [&] {
    return static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, bind.from.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  });
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (bind.readOnly ? MOUNT_ATTR_RDONLY : 0);
  sys("set the mount flags of " + bind.from, [&] {
    return ::syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes);
  });
  return tree;
}

void attach(int mount, const std::string& at) {
  std::string target = "/view" + at;
  sys("attach " + at, [&] { return moveMount(mount, target.c_str()); });
}

}  // namespace

UniqueFd openView(const Pod& pod) {
  InNamespaces inPod(pod.initPidfd.get(), CLONE_NEWNS);
  return sysFd("open the view of " + pod.name, [] { return ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC); });
}

UniqueFd mountOverlay(const std::vector<std::string>& lowers, const std::string& upper, const std::string& work) {
  UniqueFd context = sysFd("open overlay", [] { return fsopen("overlay"); });
  NamedByDescriptor names;
  std::string lower;
  for (const auto& path : lowers) lower += (lower.empty() ? "" : ":") + names.name(path);
  setOption(context.get(), "lowerdir", lower);
  if (!upper.empty()) {
    setOption(context.get(), "upperdir", names.name(upper));
    setOption(context.get(), "workdir", names.name(work));
  }
  // Renaming a directory of a lower layer is EXDEV then, for which programs are prepared; it keeps layers free of references
  // to each other's paths, so that they can be merged.
  setOption(context.get(), "redirect_dir", "nofollow");
  setOption(context.get(), "index", "off");
  setOption(context.get(), "metacopy", "off");
  if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr) != 0) {
    int err = errno;
    throwErrno("make overlay above " + lowers.back() + " " + contextMessages(context.get()), err);
  }
  return sysFd("mount overlay", [&] { return fsmount(context.get(), upper.empty() ? MOUNT_ATTR_RDONLY : MOUNT_ATTR_NOSUID); });
}

DetachedView mountTrees(const FileView& view) {
  DetachedView detached;
  for (const auto& tree : view.trees) detached.trees.push_back(mountOverlay(tree.lowers, tree.upper, tree.work));
  return detached;
}

void showView(const FileView& view, const DetachedView& detached, const Pod& pod) {
  // The binds' sources are paths of the host, so they are opened before the thread leaves it.
  std::vector<UniqueFd> binds;
  for (const auto& bind : view.binds) binds.push_back(cloneTree(bind));
  InNamespaces inPod(pod.initPidfd.get(), CLONE_NEWNS | CLONE_NEWUTS);
  attach(detached.trees.at(0).get(), "/");
  sys("show /proc", [] { return ::mount("/proc", "/view/proc", nullptr, MS_MOVE, nullptr); });
  sys("show /sys", [] { return ::mount("/sys", "/view/sys", nullptr, MS_MOVE, nullptr); });
  for (size_t i = 1; i < view.trees.size(); ++i) attach(detached.trees[i].get(), view.trees[i].at);
  for (size_t i = 0; i < binds.size(); ++i) attach(binds[i].get(), view.binds[i].at);
  // Over the pod's first root: whoever enters the namespace from now on starts at the view. The init stays below; pivot_root would take
  // it along, and look at every other task of the machine for that.
  sys("show the view as the root", [] { return ::mount("/view", "/", nullptr, MS_MOVE, nullptr); });
  sys("set host name", [&] { return ::sethostname(view.hostName.data(), view.hostName.size()); });
}

void setHostName(const Pod& pod, const std::string& name) {
  InNamespaces inPod(pod.initPidfd.get(), CLONE_NEWUTS);
  sys("set host name", [&] { return ::sethostname(name.data(), name.size()); });
}

}  // namespace appshot
