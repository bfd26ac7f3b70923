#include "core/pod/base_view.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "core/sys/sys.h"

namespace appshot {

namespace {

struct stat statusOf(const std::string& path) {
  struct stat st {};
  sys("look at " + path, [&] { return ::stat(path.c_str(), &st); });
  return st;
}

void makeDirectory(const std::string& path, unsigned mode) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) throwErrno("make directory " + path, errno);
  sys("set mode of " + path, [&] { return ::chmod(path.c_str(), mode); });
}

void markOpaque(const std::string& path) {
  sys("mark opaque " + path, [&] { return ::setxattr(path.c_str(), "trusted.overlay.opaque", "y", 1, 0); });
}

// Makes `relative` below `skeleton`; directories on the way look like the host's.
void makeParents(const std::string& skeleton, const std::string& host, const std::string& relative) {
  for (size_t slash = relative.find('/', 1); slash != std::string::npos; slash = relative.find('/', slash + 1)) {
    std::string parent = relative.substr(0, slash);
    struct stat there = statusOf(host + parent);
    makeDirectory(skeleton + parent, there.st_mode & 07777);
    sys("set owner", [&] { return ::chown((skeleton + parent).c_str(), there.st_uid, there.st_gid); });
  }
}

void makeDevices(const std::string& dev) {
  struct Device { const char* name; unsigned major, minor; };
  for (Device device : {Device{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}}) {
    std::string path = dev + "/" + device.name;
    sys("make device " + path, [&] { return ::mknod(path.c_str(), S_IFCHR | 0666, makedev(device.major, device.minor)); });
    sys("set mode of " + path, [&] { return ::chmod(path.c_str(), 0666); });
  }
  struct Link { const char* name; const char* target; };
  for (Link link : {Link{"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"}}) {
    sys("make link", [&] { return ::symlink(link.target, (dev + "/" + link.name).c_str()); });
  }
  makeDirectory(dev + "/shm", 01777);
}

void makeRun(const std::string& run) {
  makeDirectory(run + "/lock", 01777);
  makeDirectory(run + "/appshot", 0755);
  // What is the instance's own is shown here; the other two are names that programs know.
  makeDirectory(run + "/appshot/self", 0755);
  for (const char* name : {"log", "instance.json"})
    sys("make link", [&] { return ::symlink((std::string("self/") + name).c_str(), (run + "/appshot/" + name).c_str()); });
}

bool mayEnter(const struct stat& directory, unsigned uid, unsigned gid) {
  if (directory.st_uid == uid) return directory.st_mode & S_IXUSR;
  if (directory.st_gid == gid) return directory.st_mode & S_IXGRP;
  return directory.st_mode & S_IXOTH;
}

}  // namespace

const std::vector<HiddenPlace>& hiddenPlaces() {
  static const std::vector<HiddenPlace> places = {{"/tmp", 01777}, {"/var/tmp", 01777}, {"/run"}, {"/root"},
                                                  {"/home"},       {"/mnt"},            {"/media"}, {"/dev"}};
  return places;
}

bool isBelow(const std::string& path, const std::string& directory) {
  return path == directory || directory == "/" || path.rfind(directory + "/", 0) == 0;
}

BaseView::~BaseView() {
  for (auto point = mountPoints.rbegin(); point != mountPoints.rend(); ++point) {
    ::umount2(point->c_str(), MNT_DETACH);
    ::rmdir(point->c_str());
  }
}

void BaseViews::start() {
  if (::mkdir(home().c_str(), 0700) != 0 && errno != EEXIST) throwErrno("make directory " + home(), errno);
  sys("unshare mounts", [] { return ::unshare(CLONE_NEWNS); });
  // As a slave it still gets what the host mounts later (volumes), and gives nothing back.
  sys("make mounts slaves", [] { return ::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr); });
  sys("mount " + home(), [&] { return ::mount("appshot", home().c_str(), "tmpfs", MS_NOSUID, "mode=700,size=1m"); });
  makeDirectory(stage(), 0755);
  refreshRoot();
}

void BaseViews::close() {
  root_.reset();
  ::umount2(home().c_str(), MNT_DETACH);
  ::rmdir(home().c_str());
}

std::string BaseViews::mountPoint(const char* kind) {
  std::lock_guard lock(mutex_);
  std::string path = home() + "/" + kind + "-" + std::to_string(++made_);
  makeDirectory(path, 0755);
  return path;
}

std::string BaseViews::makeSkeleton(BaseView& base, const std::string& host, const std::vector<HiddenPlace>& hidden) {
  std::string skeleton = mountPoint("skeleton");
  sys("mount " + skeleton, [&] { return ::mount("appshot", skeleton.c_str(), "tmpfs", MS_NOSUID, "mode=755,size=256k"); });
  base.mountPoints.push_back(skeleton);
  struct stat top = statusOf(host);
  sys("set mode", [&] { return ::chmod(skeleton.c_str(), top.st_mode & 07777); });
  sys("set owner", [&] { return ::chown(skeleton.c_str(), top.st_uid, top.st_gid); });
  std::string prefix = host == "/" ? "" : host;
  for (const auto& place : hidden) {
    struct stat st;
    // A link (/var/run) leads to a place that is hidden itself.
    if (::lstat(place.path.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) continue;
    std::string relative = place.path.substr(prefix.size());
    makeParents(skeleton, prefix, relative);
    makeDirectory(skeleton + relative, place.mode);
    markOpaque(skeleton + relative);
  }
  return skeleton;
}

// Overlayfs refuses lower layers that contain each other, as "/" and an image's layer do; an overlay of its own is a file
// system of its own and contains nobody. Where the engine is on another file system than `host` there is no need, and
// overlays stack only two deep: the host's "/" may be one already.
void BaseViews::stack(BaseView& base, const std::string& skeleton, const std::string& host) {
  if (statusOf(host).st_dev != statusOf(engine_).st_dev) {
    base.lowers = {skeleton, host};
    return;
  }
  std::string view = mountPoint("base");
  std::string options = "lowerdir=" + skeleton + ":" + host + ",redirect_dir=nofollow";
  sys("mount base view of " + host, [&] { return ::mount("overlay", view.c_str(), "overlay", MS_RDONLY, options.c_str()); });
  base.mountPoints.push_back(view);
  base.lowers = {view};
}

std::shared_ptr<BaseView> BaseViews::root() const {
  std::lock_guard lock(mutex_);
  return root_;
}

void BaseViews::refreshRoot() {
  std::vector<HiddenPlace> hidden = hiddenPlaces();
  bool hiddenAnyway = false;
  for (const auto& place : hidden) hiddenAnyway = hiddenAnyway || isBelow(engine_, place.path);
  if (!hiddenAnyway) hidden.push_back({engine_});
  auto base = std::make_shared<BaseView>();
  std::string skeleton = makeSkeleton(*base, "/", hidden);
  makeDevices(skeleton + "/dev");
  makeRun(skeleton + "/run");
  stack(*base, skeleton, "/");
  std::lock_guard lock(mutex_);
  root_ = std::move(base);
}

std::shared_ptr<BaseView> BaseViews::ofDirectory(const std::string& path) {
  auto base = std::make_shared<BaseView>();
  if (isBelow(engine_, path)) {
    stack(*base, makeSkeleton(*base, path, {{engine_}}), path);
  } else {
    base->lowers = {path};
  }
  return base;
}

bool BaseViews::isHiddenFrom(const std::string& path, unsigned uid, unsigned gid) const {
  if (path == "/") return false;
  for (const auto& place : hiddenPlaces()) {
    if (isBelow(path, place.path)) return true;
  }
  if (isBelow(path, engine_)) return true;
  struct stat root = statusOf("/");
  for (size_t slash = 0; slash != std::string::npos; slash = path.find('/', slash + 1)) {
    struct stat there = statusOf(slash == 0 ? "/" : path.substr(0, slash));
    if (there.st_dev != root.st_dev || !mayEnter(there, uid, gid)) return true;
  }
  return statusOf(path).st_dev != root.st_dev;
}

}  // namespace appshot
