#include "keeper/view_plan.h"

#include <sys/stat.h>

#include <algorithm>

#include "core/sys/sys.h"
#include "keeper/furniture.h"

namespace appshot {

namespace {

void makeDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) throwErrno("make directory " + path, errno);
}

ViewTree treeAt(const std::string& at, const std::vector<std::string>& above, const std::vector<std::string>& base) {
  ViewTree tree;
  tree.at = at;
  tree.lowers = above;
  tree.lowers.insert(tree.lowers.end(), base.begin(), base.end());
  return tree;
}

// The user's own view of things, below /etc.
void addUser(int root, const InstanceSpec& spec) {
  std::string uid = std::to_string(spec.uid), gid = std::to_string(spec.gid);
  auto known = [](const std::string& text, const std::string& id) {
    // name:x:ID:…
    for (size_t at = 0; (at = text.find(":" + id + ":", at)) != std::string::npos; ++at) {
      size_t line = text.rfind('\n', at) == std::string::npos ? 0 : text.rfind('\n', at) + 1;
      if (std::count(text.begin() + static_cast<long>(line), text.begin() + static_cast<long>(at), ':') == 1) return true;
    }
    return false;
  };
  if (!known(readFileIfThere("/etc/passwd"), uid)) appendFileIn(root, "/etc/passwd", "app:x:" + uid + ":" + gid + ":application:/home/app:/bin/sh\n");
  if (!known(readFileIfThere("/etc/group"), gid)) appendFileIn(root, "/etc/group", "app:x:" + gid + ":\n");
}

// The top of the application's directory belongs to its user, whoever owns it on the host.
void ownCwd(const InstanceSpec& spec, const PreparedView& prepared) {
  if (spec.cwd == "/") return;
  int root = prepared.detached.trees[0].get();
  if (spec.ownTreeForCwd) {
    makeDirectoriesIn(root, spec.cwd);
    ownDirectoryIn(prepared.detached.trees[1].get(), "/", spec.uid, spec.gid);
  } else {
    ownDirectoryIn(root, spec.cwd, spec.uid, spec.gid);
  }
}

}  // namespace

PreparedView prepareView(const std::string& aid, const InstanceSpec& spec, const std::string& layer, BaseViews& bases,
                         const LayerStore& layers, const Places& places) {
  PreparedView prepared;
  std::string work = places.work(aid);
  makeDirectory(work);
  auto add = [&](const std::string& at, std::shared_ptr<BaseView> base, const char* kind) {
    std::vector<std::string> above;
    bool isRoot = at == "/";
    for (const auto& id : spec.layers) above.push_back(isRoot ? layers.rootOf(id) : layers.cwdOf(id));
    ViewTree tree = treeAt(at, above, base->lowers);
    tree.upper = isRoot ? layers.rootOf(layer) : layers.cwdOf(layer);
    tree.work = work + "/" + kind;
    makeDirectory(tree.work);
    prepared.view.trees.push_back(std::move(tree));
    prepared.bases.push_back(std::move(base));
  };
  add("/", bases.root(), "root");
  if (spec.ownTreeForCwd) add(spec.cwd, bases.ofDirectory(spec.cwd), "cwd");
  prepared.view.binds = spec.binds;
  prepared.view.binds.push_back({places.log(aid), "/run/appshot/log", false});
  prepared.view.hostName = aid;
  prepared.detached = mountTrees(prepared.view);
  return prepared;
}

void furnishForLaunch(InstanceSpec& spec, PreparedView& prepared) {
  int root = prepared.detached.trees[0].get();
  addUser(root, spec);
  makeDirectoriesIn(root, "/home/app");
  ownDirectoryIn(root, "/home/app", spec.uid, spec.gid);
  ownCwd(spec, prepared);
  for (size_t i = 0; i < spec.binds.size(); ++i) {
    ViewBind& bind = spec.binds[i];
    // A mount point in the application's own tree cannot be made in the one below.
    bool inCwd = spec.ownTreeForCwd && isBelow(bind.at, spec.cwd) && bind.at != spec.cwd;
    int tree = inCwd ? prepared.detached.trees[1].get() : root;
    std::string prefix = inCwd ? spec.cwd : "";
    bind.at = prefix + makeMountPointIn(tree, bind.at.substr(prefix.size()), bind.from);
    prepared.view.binds[i].at = bind.at;
  }
}

void furnishName(const std::string& aid, const PreparedView& prepared) {
  int root = prepared.detached.trees[0].get();
  writeFileIn(root, "/etc/hostname", aid + "\n");
  writeFileIn(root, "/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 " + aid + "\n");
}

}  // namespace appshot
