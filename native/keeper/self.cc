#include "keeper/self.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "core/pod/network.h"
#include "core/sys/sys.h"
#include "keeper/keeper.h"

namespace appshot {

namespace {

// The file is there already: what costs is making one. Cut off behind the text rather than emptied before, after which ext4
// would write it to the disk when it is closed.
void fill(const std::string& path, const std::string& text) {
  UniqueFd fd = sysFd("open " + path, [&] { return ::open(path.c_str(), O_WRONLY | O_CLOEXEC); });
  writeAll(fd.get(), text.data(), text.size(), "write " + path);
  sys("cut " + path, [&] { return ::ftruncate(fd.get(), static_cast<off_t>(text.size())); });
}

void link(const std::string& target, const std::string& path) {
  if (::symlink(target.c_str(), path.c_str()) == 0) return;
  if (errno == EEXIST && readLink(path) == target) return;
  ::unlink(path.c_str());
  sys("make link " + path, [&] { return ::symlink(target.c_str(), path.c_str()); });
}

// Names of instances do not begin with a dot: it is the view that a zygote maps its files from, and has to show the template's.
bool isTemplatesView(const Instance& instance) { return instance.aid[0] == '.'; }

}  // namespace

Evaluation evaluationOf(const InstanceSpec& spec, const Identity& identity) { return Evaluation(spec.rules, spec.name, identity, spec.env); }

std::string describeSelf(const Instance& instance) {
  const InstanceSpec& spec = instance.spec;
  nlohmann::ordered_json self = {{"aid", spec.identity.aid}, {"app", spec.name},         {"generation", spec.generation},
                                 {"node", spec.identity.node}, {"ip", spec.identity.ip}, {"template", nullptr}};
  if (instance.isClone) self["template"] = instance.image;
  return self.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::vector<std::string> changedEnvironment(const Instance& instance) {
  std::vector<std::string> before = evaluationOf(instance.spec, instance.former).environment();
  std::vector<std::string> now = evaluationOf(instance.spec, instance.spec.identity).environment();
  std::vector<std::string> changed;
  for (size_t i = 0; i < now.size(); i++)
    if (now[i] != before[i]) changed.push_back(now[i]);
  if (instance.former.aid != instance.spec.identity.aid) changed.push_back("APPSHOT_AID=" + instance.spec.identity.aid);
  return changed;
}

void takeIdentity(Keeper& keeper, Instance& instance) {
  InstanceSpec& spec = instance.spec;
  if (instance.image.empty() || !isTemplatesView(instance)) spec.identity = {instance.aid, keeper.nodeName(), textOf(instance.pod->farmIp)};
  if (instance.image.empty()) instance.former = spec.identity;
  instance.environmentChanged = !changedEnvironment(instance).empty();
}

void becomeItself(Keeper& keeper, Instance& instance, const std::string& self) {
  takeIdentity(keeper, instance);
  fill(self + "/instance.json", describeSelf(instance));
  std::string environment;
  for (const std::string& variable : changedEnvironment(instance)) environment += variable + '\0';
  // Also where there is none: an instance that comes back finds the file of its last time.
  fill(self + "/environment", environment);
  size_t number = 0;
  for (const std::string& place : evaluationOf(instance.spec, instance.spec.identity).redirects()) link(place, self + "/redirect/" + std::to_string(++number));
}

}  // namespace appshot
