#include "keeper/launch_plan.h"

#include <sys/stat.h>

#include "core/sys/sys.h"
#include "core/template/classify.h"
#include "keeper/app_user.h"
#include "keeper/exposures.h"
#include "keeper/furnishing.h"
#include "keeper/read_rules.h"
#include "keeper/redirects.h"
#include "keeper/request_fields.h"
#include "keeper/self.h"

namespace appshot {

namespace {

void requireAbsolute(const std::string& path, const std::string& what) {
  if (path.empty() || path[0] != '/') throw Error("bad-request", "launch: " + what + " '" + path + "' has to be an absolute path");
}

std::vector<ViewBind> readVolumes(const Json& volumes) {
  std::vector<ViewBind> binds;
  if (volumes.is_null()) return binds;
  if (!volumes.is_array()) throw Error("bad-request", "launch: 'volumes' has to be a list");
  for (const auto& volume : volumes) {
    RequestFields fields(volume, "launch: a volume");
    std::string host = fields.text("host"), path = fields.text("path");
    fields.done();
    requireAbsolute(host, "a volume's host path");
    requireAbsolute(path, "a volume's path");
    std::string real = realPathOf(host);
    if (real.empty()) throw Error("bad-request", "launch: volume " + host + " does not exist on the node");
    if (path == "/" || path == "/proc" || path.rfind("/proc/", 0) == 0 || path == "/sys" || path.rfind("/sys/", 0) == 0) {
      throw Error("bad-request", "launch: a volume cannot be at " + path);
    }
    binds.push_back({real, path, false});
  }
  return binds;
}

std::vector<std::string> readEnv(const Json& env) {
  std::vector<std::string> entries;
  if (env.is_null()) return entries;
  if (!env.is_object()) throw Error("bad-request", "launch: 'env' has to be an object of texts");
  for (const auto& [name, value] : env.items()) {
    bool good = value.is_string() && !name.empty() && name.find('=') == std::string::npos && name.find('\0') == std::string::npos &&
                value.get_ref<const std::string&>().find('\0') == std::string::npos;
    if (!good) throw Error("bad-request", "launch: environment variable '" + name.substr(0, 100) + "' is not a text without zero bytes");
    entries.push_back(name + "=" + value.get<std::string>());
  }
  return entries;
}

void readUser(RequestFields& fields, InstanceSpec& spec, const std::string& aid, const std::string& engine) {
  AppUser user;
  if (fields.has("user")) {
    user = userByName(fields.text("user"));
    fields.any("uid");
  } else if (fields.has("uid")) {
    user = userById(static_cast<uid_t>(fields.number("uid", 1, 0x7ffffffe, 1)));
    fields.any("user");
  } else {
    fields.any("user"), fields.any("uid");
    user = ownUser(engine + "/" + aid);
  }
  spec.uid = user.uid;
  spec.gid = user.gid;
  spec.groups = user.groups;
}

// A rule may keep any port inside but the one by which the instance is reached.
void requireReachable(const InstanceSpec& spec) {
  for (const Rule& rule : spec.rules)
    if (spec.port != 0 && portsKeptInside({rule}) == std::vector<uint16_t>{static_cast<uint16_t>(spec.port)})
      throw Error("bad-request", "rules, line " + std::to_string(rule.line) + ": port " + rule.subject + " is the one by which the instance is reached");
}

// Whether a machine is a router is not for us to change.
void requireForwarding() {
  if (readFileIfThere("/proc/sys/net/ipv4/ip_forward").rfind('0', 0) != 0) return;
  throw Error("bad-request", "egress: this node does not forward packets, so nothing can leave an instance; `sysctl -w net.ipv4.ip_forward=1` on the node lets it "
                             "(and a file in /etc/sysctl.d makes that last)");
}

}  // namespace

LaunchRequest readLaunchRequest(const Json& params, const std::string& engine, const BaseViews& bases) {
  RequestFields fields(params, "launch");
  LaunchRequest request;
  InstanceSpec& spec = request.spec;
  request.aid = fields.text("aid");
  checkName(request.aid, "AID");
  spec.command = fields.texts("command");
  if (spec.command.empty() || spec.command[0].empty()) throw Error("bad-request", "launch: a command is needed");
  std::string cwd = fields.text("cwd");
  requireAbsolute(cwd, "the directory");
  spec.cwd = realPathOf(cwd);
  struct stat st;
  if (spec.cwd.empty() || ::stat(spec.cwd.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) {
    throw Error("bad-request", "launch: the directory " + cwd + " does not exist");
  }
  readUser(fields, spec, request.aid, engine);
  spec.env = readEnv(fields.any("env"));
  spec.binds = readVolumes(fields.any("volumes"));
  spec.port = static_cast<int>(fields.number("port", 0, 65535, 0));
  request.readyPath = fields.text("readyPath", "");
  request.readyWithinMs = static_cast<int>(fields.number("readyWithinMs", 1, 3'600'000, 30'000));
  spec.limits.memoryBytes = static_cast<uint64_t>(fields.number("memoryMb", 0, 1 << 24, 0)) << 20;
  spec.limits.cpus = fields.real("cpus", 0, 4096, 0);
  spec.connections = connectionsOf(fields.text("connections", "auto"));
  spec.compress = isZstd(fields.text("compress", ""));
  spec.asyncIo = fields.flag("asyncIo", false);
  spec.egress = fields.flag("egress", false);
  if (spec.egress) requireForwarding();
  spec.limits.pids = static_cast<unsigned>(fields.number("pids", 1, 100'000, 4096));
  std::string searchPath = fields.text("searchPath", "");
  spec.name = fields.text("name", request.aid);
  spec.rules = readRules(fields.any("rules"), spec);
  requireReachable(spec);
  spec.clone = readCloneSettings(fields.any("clone"));
  fields.done();
  // An engine's directory as the application's would show what is hidden in it.
  if (isBelow(spec.cwd, engine)) throw Error("bad-request", "launch: the directory " + cwd + " is the engine's own");
  spec.ownTreeForCwd = bases.isHiddenFrom(spec.cwd, spec.uid, spec.gid) && spec.cwd != "/tmp" && spec.cwd != "/var/tmp" &&
                       spec.cwd != "/run" && spec.cwd != "/dev";
  exposeWhatItUses(spec, searchPath, engine, bases);
  if (!findVariable(spec.env, "HOME")) spec.env.push_back("HOME=/home/app");
  // As programs are told on other platforms too; most take their own default without it.
  if (spec.port != 0 && !findVariable(spec.env, "PORT")) spec.env.push_back("PORT=" + std::to_string(spec.port));
  checkRedirects(spec);
  return request;
}

Program programOf(const InstanceSpec& spec) {
  Program program;
  Evaluation evaluation = evaluationOf(spec, spec.identity);
  for (const std::string& word : spec.command) program.command.push_back(evaluation.text(word));
  program.cwd = spec.cwd;
  program.env = evaluation.environment();
  program.env.push_back("APPSHOT_AID=" + spec.identity.aid);
  program.asyncIo = spec.asyncIo;
  program.uid = spec.uid;
  program.gid = spec.gid;
  program.groups = spec.groups;
  return program;
}

}  // namespace appshot
