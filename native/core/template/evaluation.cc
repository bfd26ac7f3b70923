#include "core/template/evaluation.h"

#include <algorithm>

#include "core/sys/error.h"

namespace appshot {

namespace {

constexpr int kDeepest = 16;

bool isBelowOrSame(const std::string& path, const std::string& directory) {
  return path == directory || path.rfind(directory + "/", 0) == 0;
}

// The redirection of the longest path that contains this one: the innermost link.
const Rule* redirectOf(const std::vector<Rule>& rules, const std::string& path) {
  const Rule* longest = nullptr;
  for (const Rule& rule : rules)
    if (rule.is(RuleKind::Redirect) && isBelowOrSame(path, rule.subject) && (!longest || rule.subject.size() > longest->subject.size())) longest = &rule;
  return longest;
}

void requirePlain(const std::string& path, const std::string& unevaluated) {
  bool plain = path.size() > 1 && path[0] == '/' && path.back() != '/' && path.find("//") == std::string::npos && path.find('\0') == std::string::npos;
  std::string padded = path + "/";
  plain = plain && padded.find("/../") == std::string::npos && padded.find("/./") == std::string::npos;
  if (!plain) throw Error("bad-request", "the rule's path " + unevaluated + " comes out as '" + path + "', which is no plain absolute path");
}

}  // namespace

bool Evaluation::variable(const std::string& name, std::string& unevaluated) const {
  for (const Rule& rule : rules_)
    if (rule.is(RuleKind::SetEnv) && rule.subject == name) return unevaluated = rule.value, true;
  for (const std::string& entry : environment_)
    if (entry.rfind(name + "=", 0) == 0) return unevaluated = entry.substr(name.size() + 1), true;
  return false;
}

bool Evaluation::tagValue(const std::string& tag, int depth, std::string& value) const {
  auto rule = std::find_if(rules_.begin(), rules_.end(), [&](const Rule& one) { return one.is(RuleKind::Define) && one.subject == tag; });
  if (rule == rules_.end()) return false;
  const std::string& property = rule->value;
  bool known = false;
  if (property == "application-ID") value = identity_.aid, known = true;
  if (property == "application-name") value = applicationName_, known = true;
  if (property == "node-ID") value = identity_.node, known = !value.empty();
  if (property == "instance-IP") value = identity_.ip, known = !value.empty();
  if (property.rfind("env:", 0) == 0 && variable(property.substr(4), value)) value = textAt(value, depth + 1), known = true;
  if (!known && rule->hasQualifier) value = textAt(rule->qualifier, depth + 1), known = true;
  return known;
}

std::string Evaluation::textAt(const std::string& unevaluated, int depth) const {
  if (depth > kDeepest) throw Error("bad-request", "rules: the variables that '" + unevaluated.substr(0, 100) + "' refers to refer to each other");
  std::string text = unevaluated;
  for (size_t from = 0, close; (close = text.find('>', from)) != std::string::npos;) {
    size_t open = text.rfind('<', close);
    std::string value;
    if (open == std::string::npos || !tagValue(text.substr(open + 1, close - open - 1), depth, value)) {
      from = close + 1;
      continue;
    }
    text.replace(open, close - open + 1, value);
    from = open + value.size();
  }
  return text;
}

std::string Evaluation::text(const std::string& unevaluated) const { return textAt(unevaluated, 0); }

std::string Evaluation::path(const std::string& unevaluated) const {
  std::string path = text(unevaluated);
  for (int step = 0; const Rule* rule = redirectOf(rules_, path); step++) {
    if (step > kDeepest) throw Error("bad-request", "rules: the path " + unevaluated + " is redirected without end");
    path = text(rule->value) + path.substr(rule->subject.size());
  }
  requirePlain(path, unevaluated);
  return path;
}

std::vector<std::string> Evaluation::redirects() const {
  std::vector<std::string> places;
  for (const Rule& rule : rules_)
    if (rule.is(RuleKind::Redirect)) places.push_back(path(rule.value));
  return places;
}

std::vector<std::string> Evaluation::environment() const {
  std::vector<std::string> variables;
  auto isSetByRule = [&](const std::string& entry) {
    return std::any_of(rules_.begin(), rules_.end(), [&](const Rule& rule) { return rule.is(RuleKind::SetEnv) && entry.rfind(rule.subject + "=", 0) == 0; });
  };
  for (const std::string& entry : environment_) {
    if (isSetByRule(entry)) continue;
    size_t equals = entry.find('=');
    variables.push_back(entry.substr(0, equals + 1) + text(entry.substr(equals + 1)));
  }
  for (const Rule& rule : rules_)
    if (rule.is(RuleKind::SetEnv)) variables.push_back(rule.subject + "=" + text(rule.value));
  return variables;
}

bool hasTags(const std::vector<Rule>& rules, const std::string& text) {
  return std::any_of(rules.begin(), rules.end(), [&](const Rule& rule) { return rule.is(RuleKind::Define) && text.find("<" + rule.subject) != std::string::npos; });
}

}  // namespace appshot
