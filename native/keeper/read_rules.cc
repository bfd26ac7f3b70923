#include "keeper/read_rules.h"

#include <limits.h>

#include <cstdlib>
#include <map>

#include "keeper/signal_names.h"

namespace appshot {

namespace {

constexpr size_t kMostRules = 1000;

void requirePath(const Rule& rule, const std::string& path) {
  std::string padded = path + "/";
  bool good = path.size() > 1 && path[0] == '/' && path.find('\0') == std::string::npos && path.size() < PATH_MAX && padded.find("/../") == std::string::npos;
  if (!good) throw Error("bad-request", "rules, line " + std::to_string(rule.line) + ": '" + path.substr(0, 100) + "' is no absolute path without '..'");
}

void requireOneOf(const Rule& rule, const std::string& value, std::initializer_list<const char*> allowed) {
  for (const char* one : allowed)
    if (value == one) return;
  throw Error("bad-request", "rules, line " + std::to_string(rule.line) + ": '" + value.substr(0, 100) + "' is not known");
}

void requirePort(const Rule& rule) {
  bool isNumber = !rule.subject.empty() && rule.subject.size() <= 5 && rule.subject.find_first_not_of("0123456789") == std::string::npos;
  int port = isNumber ? std::atoi(rule.subject.c_str()) : 0;
  if (port < 1 || port > 65535) throw Error("bad-request", "rules, line " + std::to_string(rule.line) + ": '" + rule.subject.substr(0, 100) + "' is not a port");
}

Rule readOverride(RequestFields& fields, Rule rule) {
  rule.kind = static_cast<uint32_t>(RuleKind::Override);
  rule.value = fields.text("verb");
  rule.subject = fields.text("resource");
  rule.qualifier = fields.text("of");
  rule.hasQualifier = true;
  requireOneOf(rule, rule.qualifier, {"path", "memory", "port"});
  if (rule.qualifier == "path") {
    requireOneOf(rule, rule.value, {"share", "copy", "duplicate"});
    requirePath(rule, rule.subject);
  } else {
    requireOneOf(rule, rule.value, rule.qualifier == "memory" ? std::initializer_list<const char*>{"copy", "duplicate"} : std::initializer_list<const char*>{"virtualize"});
    if (rule.qualifier == "port") requirePort(rule);
  }
  return rule;
}

Rule readRule(const Json& json) {
  RequestFields fields(json, "launch: a rule");
  Rule rule;
  rule.line = static_cast<uint32_t>(fields.number("line", 0, 1'000'000, 0));
  std::string kind = fields.text("kind");
  if (kind == "define") {
    rule.kind = static_cast<uint32_t>(RuleKind::Define);
    rule.subject = fields.text("tag");
    rule.value = fields.text("property");
    rule.hasQualifier = fields.has("fallback") && !json.at("fallback").is_null();
    if (rule.hasQualifier) rule.qualifier = fields.text("fallback");
    else fields.any("fallback");
    if (rule.value.rfind("env:", 0) != 0) requireOneOf(rule, rule.value, {"application-ID", "application-name", "node-ID", "instance-IP"});
  } else if (kind == "redirect") {
    rule.kind = static_cast<uint32_t>(RuleKind::Redirect);
    rule.subject = fields.text("from");
    rule.value = fields.text("to");
    rule.hasQualifier = fields.flag("directory", false);
    if (rule.hasQualifier) rule.qualifier = "directory";
    requirePath(rule, rule.subject);
    requirePath(rule, rule.value);
  } else if (kind == "set-env") {
    rule.kind = static_cast<uint32_t>(RuleKind::SetEnv);
    rule.subject = fields.text("name");
    rule.value = fields.text("value");
    bool good = !rule.subject.empty() && (rule.subject + rule.value).find('\0') == std::string::npos && rule.subject.find('=') == std::string::npos;
    if (!good) throw Error("bad-request", "rules, line " + std::to_string(rule.line) + ": that cannot be an environment variable");
  } else if (kind == "override") {
    rule = readOverride(fields, rule);
  } else {
    throw Error("bad-request", "launch: a rule of kind '" + kind.substr(0, 100) + "' is not known");
  }
  fields.done();
  return rule;
}

// SHARE PATH: the directory or file of this machine itself, for every instance.
void bindShared(const Rule& rule, InstanceSpec& spec) {
  char real[PATH_MAX];
  if (::realpath(rule.subject.c_str(), real) == nullptr)
    throw Error("bad-request", "rules, line " + std::to_string(rule.line) + ": " + rule.subject + ", which is to be shared, does not exist on the node");
  spec.binds.push_back({real, rule.subject, false});
}

}  // namespace

std::vector<Rule> readRules(const Json& list, InstanceSpec& spec) {
  std::vector<Rule> rules;
  if (list.is_null()) return rules;
  if (!list.is_array() || list.size() > kMostRules) throw Error("bad-request", "launch: 'rules' has to be a list of at most 1000 rules");
  for (const Json& one : list) {
    rules.push_back(readRule(one));
    const Rule& rule = rules.back();
    if (rule.is(RuleKind::Override) && rule.qualifier == "path" && rule.value == "share") bindShared(rule, spec);
  }
  return rules;
}

CloneSettings readCloneSettings(const Json& json) {
  CloneSettings clone;
  if (json.is_null()) return clone;
  RequestFields fields(json, "launch: 'clone'");
  std::string signal = fields.text("signal", "");
  if (!signal.empty()) clone.signal = signalNumber(signal);
  clone.hook = fields.text("hook", "");
  for (unsigned char c : clone.hook)
    if (c <= ' ' || c > '~') throw Error("bad-request", "launch: the hook has to be a path without spaces");
  if (!clone.hook.empty() && clone.hook[0] != '/') throw Error("bad-request", "launch: the hook has to be a path");
  clone.withinMs = static_cast<int>(fields.number("withinMs", 10, 60'000, clone.withinMs));
  clone.duplicateRandomness = fields.flag("duplicateRandomness", false);
  fields.done();
  return clone;
}

}  // namespace appshot
