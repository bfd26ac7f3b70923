#include "keeper/berth.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "core/sys/failpoint.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

void makeDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) throwErrno("make directory " + path, errno);
}

void makeFile(const std::string& path, uid_t uid, gid_t gid) {
  UniqueFd fd = sysFd("make " + path, [&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600); });
  sys("set owner of " + path, [&] { return ::fchown(fd.get(), uid, gid); });
}

// /etc/hostname and /etc/hosts stand in the layer before it is mounted: through the overlay each would be copied up and synced.
void makeEtc(const std::string& layerRoot) {
  std::string etc = layerRoot + "/etc";
  struct stat host {};
  sys("look at /etc", [&] { return ::stat("/etc", &host); });
  makeDirectory(etc);
  sys("set mode of " + etc, [&] { return ::chmod(etc.c_str(), host.st_mode & 07777); });
  for (const char* name : {"/hostname", "/hosts"}) {
    makeFile(etc + name, 0, 0);
    sys("set mode", [&] { return ::chmod((etc + name).c_str(), 0644); });
  }
}

// Filled in when it is known whose they are.
void makeSelf(const std::string& self) {
  for (const char* name : {"/instance.json", "/environment"}) {
    makeFile(self + name, 0, 0);
    sys("set mode", [&] { return ::chmod((self + name).c_str(), 0644); });
  }
  makeDirectory(self + "/redirect");
  sys("set mode", [&] { return ::chmod((self + "/redirect").c_str(), 0755); });
}

// The top of an overlay looks as that of its upper layer does, so this has to look like what is below it.
void copyLook(const std::string& from, const std::string& to) {
  struct stat st {};
  sys("look at " + from, [&] { return ::stat(from.c_str(), &st); });
  sys("set owner of " + to, [&] { return ::chown(to.c_str(), st.st_uid, st.st_gid); });
  sys("set mode of " + to, [&] { return ::chmod(to.c_str(), st.st_mode & 07777); });
}

void makeInside(Berth& berth, const InstanceSpec& spec, BaseViews& bases, const LayerStore& layers, const std::string& directory) {
  makeDirectory(directory);
  std::string work = directory + "/work";
  makeDirectory(work);
  makeDirectory(directory + "/self");
  sys("open " + directory + "/self", [&] { return ::chmod((directory + "/self").c_str(), 0755); });
  // The log belongs to the application's user, so that a program may open /dev/stdout again.
  makeFile(directory + "/self/log", spec.uid, spec.gid);
  makeSelf(directory + "/self");
  makeFile(directory + "/state.json", 0, 0);
  makeEtc(layers.rootOf(berth.id));
  auto add = [&](const std::string& at, std::shared_ptr<BaseView> base, const char* kind) {
    bool isRoot = at == "/";
    ViewTree tree;
    tree.at = at;
    for (const auto& id : spec.layers) tree.lowers.push_back(isRoot ? layers.rootOf(id) : layers.cwdOf(id));
    tree.lowers.insert(tree.lowers.end(), base->lowers.begin(), base->lowers.end());
    tree.upper = isRoot ? layers.rootOf(berth.id) : layers.cwdOf(berth.id);
    tree.work = work + "/" + kind;
    makeDirectory(tree.work);
    copyLook(tree.lowers.front(), tree.upper);
    berth.trees.push_back(std::move(tree));
    berth.bases.push_back(std::move(base));
  };
  add("/", bases.root(), "root");
  if (spec.ownTreeForCwd) add(spec.cwd, bases.ofDirectory(spec.cwd), "cwd");
  failpoint("furnish berth");
  for (const auto& tree : berth.trees) berth.detached.trees.push_back(mountOverlay(tree.lowers, tree.upper, tree.work));
  failpoint("mount berth");
}

}  // namespace

Berth makeBerth(const InstanceSpec& spec, BaseViews& bases, LayerStore& layers, const Places& places) {
  Berth berth;
  berth.id = layers.create();
  std::string directory = places.berth(berth.id);
  try {
    makeInside(berth, spec, bases, layers, directory);
    return berth;
  } catch (...) {
    layers.release({berth.id});
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
    throw;
  }
}

void moveIn(const Berth& berth, const std::string& aid, Janitor& janitor, const Places& places) {
  std::string from = places.berth(berth.id), to = places.instance(aid);
  if (::rename(from.c_str(), to.c_str()) == 0) return;
  if (errno != ENOTEMPTY && errno != EEXIST) throwErrno("move into " + to, errno);
  // It slept, and its log was kept.
  for (const char* name : {"/work", "/state.json"}) {
    sys("move into " + to, [&] { return std::rename((from + name).c_str(), (to + name).c_str()); });
  }
  janitor.remove(from);
}

void scrap(const Berth& berth, LayerStore& layers, Janitor& janitor, const Places& places) {
  layers.release({berth.id});
  janitor.remove(places.berth(berth.id));
}

}  // namespace appshot
