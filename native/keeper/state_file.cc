#include "keeper/state_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <sstream>

#include "core/pod/network.h"
#include "core/sys/sys.h"

namespace appshot {

using Json = nlohmann::json;

namespace {

Json jsonOf(const std::vector<Rule>& rules) {
  Json list = Json::array();
  for (const Rule& rule : rules)
    list.push_back({{"kind", rule.kind}, {"line", rule.line}, {"subject", rule.subject}, {"value", rule.value}, {"qualifier", rule.qualifier}, {"hasQualifier", rule.hasQualifier}});
  return list;
}

std::vector<Rule> rulesOf(const Json& list) {
  std::vector<Rule> rules;
  for (const Json& rule : list) rules.push_back({rule.at("kind"), rule.at("line"), rule.at("subject"), rule.at("value"), rule.at("qualifier"), rule.at("hasQualifier")});
  return rules;
}

}  // namespace

Json jsonOf(const InstanceSpec& spec) {
  Json binds = Json::array();
  for (const auto& bind : spec.binds) binds.push_back({{"from", bind.from}, {"at", bind.at}, {"readOnly", bind.readOnly}});
  return {{"cwd", spec.cwd},
          {"ownTreeForCwd", spec.ownTreeForCwd},
          {"layers", spec.layers},
          {"binds", binds},
          {"env", spec.env},
          {"command", spec.command},
          {"uid", spec.uid},
          {"gid", spec.gid},
          {"groups", spec.groups},
          {"port", spec.port},
          {"connections", nameOf(spec.connections)},
          {"compress", spec.compress},
          {"asyncIo", spec.asyncIo},
          {"egress", spec.egress},
          {"limits", {{"memoryBytes", spec.limits.memoryBytes}, {"cpus", spec.limits.cpus}, {"pids", spec.limits.pids}}},
          {"name", spec.name},
          {"rules", jsonOf(spec.rules)},
          {"clone", {{"signal", spec.clone.signal}, {"hook", spec.clone.hook}, {"withinMs", spec.clone.withinMs}, {"duplicateRandomness", spec.clone.duplicateRandomness}}},
          {"identity", {{"aid", spec.identity.aid}, {"node", spec.identity.node}, {"ip", spec.identity.ip}}},
          {"generation", spec.generation}};
}

InstanceSpec specOf(const Json& json) {
  try {
    InstanceSpec spec;
    spec.cwd = json.at("cwd");
    spec.ownTreeForCwd = json.at("ownTreeForCwd");
    spec.layers = json.at("layers");
    for (const auto& bind : json.at("binds")) spec.binds.push_back({bind.at("from"), bind.at("at"), bind.at("readOnly")});
    spec.env = json.at("env");
    spec.command = json.at("command");
    spec.uid = json.at("uid");
    spec.gid = json.at("gid");
    spec.groups = json.at("groups").get<std::vector<gid_t>>();
    spec.port = json.at("port");
    spec.connections = connectionsOf(json.at("connections"));
    spec.compress = json.value("compress", false);
    spec.asyncIo = json.value("asyncIo", false);
    spec.egress = json.value("egress", false);
    const Json& limits = json.at("limits");
    spec.limits = {limits.at("memoryBytes"), limits.at("cpus"), limits.at("pids")};
    spec.name = json.at("name");
    spec.rules = rulesOf(json.at("rules"));
    const Json& clone = json.at("clone");
    spec.clone = {clone.at("signal"), clone.at("hook"), clone.at("withinMs"), clone.at("duplicateRandomness")};
    const Json& identity = json.at("identity");
    spec.identity = {identity.at("aid"), identity.at("node"), identity.at("ip")};
    spec.generation = json.at("generation");
    return spec;
  } catch (const Json::exception& error) {
    throw Error("image-invalid", std::string("the description of the instance is not readable: ") + error.what());
  }
}

Json jsonOf(const Instance& instance, const std::string& ending) {
  return {{"aid", instance.aid},
          {"spec", jsonOf(instance.spec)},
          {"layer", instance.layer},
          {"image", instance.image},
          {"isClone", instance.isClone},
          {"root", {{"pid", instance.root}, {"vpid", instance.rootVpid}}},
          {"pod",
           {{"name", instance.pod->name},
            {"number", instance.pod->number},
            {"init", instance.pod->init},
            {"initStart", startTimeOf(instance.pod->init)},
            {"farmIp", textOf(instance.pod->farmIp)},
            {"cgroup", instance.pod->groups.v2},
            {"cgroupV1", instance.pod->groups.v1}}},
          {"ending", ending}};
}

FormerInstance readInstance(const Json& json, Instance& instance) {
  instance.aid = json.at("aid");
  instance.spec = specOf(json.at("spec"));
  instance.layer = json.at("layer");
  instance.image = json.at("image");
  instance.isClone = json.at("isClone");
  instance.root = json.at("root").at("pid");
  instance.rootVpid = json.at("root").at("vpid");
  const Json& pod = json.at("pod");
  instance.pod = std::make_shared<Pod>();
  instance.pod->name = pod.at("name");
  instance.pod->number = pod.at("number");
  instance.pod->init = pod.at("init");
  instance.pod->farmIp = addressOf(pod.at("farmIp"));
  instance.pod->groups.v2 = pod.at("cgroup");
  instance.pod->groups.v1 = pod.at("cgroupV1").get<std::map<std::string, std::string>>();
  instance.pod->cgroupPath = instance.pod->groups.v2;
  return {pod.at("initStart"), json.at("ending")};
}

void replaceFile(const std::string& path, const std::string& text, bool durable) {
  std::string beside = path + ".new";
  {
    UniqueFd fd = sysFd("make " + beside, [&] { return ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600); });
    writeAll(fd.get(), text.data(), text.size(), "write " + beside);
    if (durable) sys("sync " + beside, [&] { return ::fsync(fd.get()); });
  }
  sys("rename " + beside, [&] { return std::rename(beside.c_str(), path.c_str()); });
}

void writeState(const std::string& path, const std::string& text) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  struct stat st {};
  bool isEmpty = fd.valid() && ::fstat(fd.get(), &st) == 0 && st.st_size == 0;
  if (isEmpty) writeAll(fd.get(), text.data(), text.size(), "write " + path);
  else replaceFile(path, text);
}

unsigned long long startTimeOf(pid_t pid) {
  std::string text = readFileIfThere("/proc/" + std::to_string(pid) + "/stat");
  size_t close = text.rfind(')');  // the name in parentheses may hold anything
  if (close == std::string::npos) return 0;
  std::istringstream fields(text.substr(close + 2));
  std::string skipped;
  for (int field = 3; field < 22; ++field) fields >> skipped;
  unsigned long long start = 0;
  fields >> start;
  return start;
}

}  // namespace appshot
