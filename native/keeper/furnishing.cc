#include "keeper/furnishing.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "core/pod/base_view.h"
#include "core/sys/sys.h"
#include "keeper/furniture.h"

namespace appshot {

namespace {

constexpr const char* kPreloadList = "/etc/ld.so.preload";

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

// Not by LD_PRELOAD: whoever starts a program with an environment of its own making (nginx that renews itself, `env -i`) would lose it,
// and a C library that is not glibc would end because of it.
void preloadConfigurator(int root) {
  std::string others = readFileIfThere(kPreloadList);
  if (!others.empty() && others.back() != '\n') others += '\n';
  writeFileIn(root, kPreloadList, others + kConfiguratorInView + "\n");
}

// The node's own, where they are not what listens on its loopback (systemd-resolved, dnsmasq), which an instance does not reach: then those
// that this one asks. A real file: /run, where a link often leads, is hidden.
void nameServersOf(int root) {
  std::string text = readFileIfThere("/etc/resolv.conf");
  bool isLocal = text.find("nameserver 127.") != std::string::npos || text.find("nameserver ::1") != std::string::npos;
  std::string asked = isLocal ? readFileIfThere("/run/systemd/resolve/resolv.conf") : "";
  std::string target = readLink("/etc/resolv.conf");
  std::string path = target.empty() ? "/etc/resolv.conf" : target[0] == '/' ? target : std::filesystem::path("/etc/" + target).lexically_normal().string();
  if (target.empty() && asked.empty()) return;
  makeDirectoriesIn(root, path.substr(0, path.rfind('/')));
  writeFileIn(root, path, asked.empty() ? text : asked);
}

// The top of the application's directory belongs to its user, whoever owns it on the host.
void ownCwd(const InstanceSpec& spec, const DetachedView& detached) {
  if (spec.cwd == "/") return;
  int root = detached.trees[0].get();
  if (spec.ownTreeForCwd) {
    makeDirectoriesIn(root, spec.cwd);
    ownDirectoryIn(detached.trees[1].get(), "/", spec.uid, spec.gid);
  } else {
    ownDirectoryIn(root, spec.cwd, spec.uid, spec.gid);
  }
}

}  // namespace

void furnishForLaunch(InstanceSpec& spec, FileView& view, const DetachedView& detached, const std::string& configurator) {
  int root = detached.trees[0].get();
  // In the layer, not in the base: an image finds the very library that its program has mapped, whatever is installed by then.
  if (!configurator.empty()) {
    writeFileIn(root, kConfiguratorInView, readFile(configurator));
    preloadConfigurator(root);
  }
  addUser(root, spec);
  if (spec.egress) nameServersOf(root);
  makeDirectoriesIn(root, "/home/app");
  ownDirectoryIn(root, "/home/app", spec.uid, spec.gid);
  ownCwd(spec, detached);
  for (size_t i = 0; i < spec.binds.size(); ++i) {
    ViewBind& bind = spec.binds[i];
    // A mount point in the application's own tree cannot be made in the one below.
    bool inCwd = spec.ownTreeForCwd && isBelow(bind.at, spec.cwd) && bind.at != spec.cwd;
    int tree = inCwd ? detached.trees[1].get() : root;
    std::string prefix = inCwd ? spec.cwd : "";
    bind.at = prefix + makeMountPointIn(tree, bind.at.substr(prefix.size()), bind.from);
    view.binds[i].at = bind.at;
  }
}

void nameLayer(const std::string& aid, const std::string& layerRoot) {
  auto write = [&](const char* name, const std::string& text) {
    std::string path = layerRoot + "/etc/" + name;
    UniqueFd fd = sysFd("open " + path, [&] { return ::open(path.c_str(), O_WRONLY | O_CLOEXEC); });
    writeAll(fd.get(), text.data(), text.size(), "write " + path);
  };
  write("hostname", aid + "\n");
  write("hosts", "127.0.0.1 localhost\n127.0.1.1 " + aid + "\n");
}

}  // namespace appshot
