// What the references in rules, commands and variables stand for, for one instance.
#pragma once

#include <string>
#include <vector>

#include "core/template/rule.h"

namespace appshot {

// An instance's own specification: what tags can stand for.
struct Identity {
  std::string aid;
  std::string node;
  std::string ip;             // as reached from the node; empty where it is not known yet

  bool operator==(const Identity&) const = default;
};

class Evaluation {
 public:
  // `environment`: NAME=value as the application was given it, tags unevaluated. All arguments have to outlive this.
  Evaluation(const std::vector<Rule>& rules, const std::string& applicationName, const Identity& identity, const std::vector<std::string>& environment)
      : rules_(rules), applicationName_(applicationName), identity_(identity), environment_(environment) {}

  // Each tag replaced, the innermost first: by the property of the instance, else by the default given with the tag, else not at
  // all. Throws Error `bad-request` when variables refer to each other in a circle.
  std::string text(const std::string& unevaluated) const;
  // The same for a path; then the redirections that lead on from there are followed (nested links). Throws Error `bad-request`
  // when the outcome is no absolute path without "..", or the redirections never end.
  std::string path(const std::string& unevaluated) const;
  // Where each Redirect rule leads, in the order of the rules.
  std::vector<std::string> redirects() const;
  // The instance's variables, those of SET ENV included, evaluated.
  std::vector<std::string> environment() const;

 private:
  std::string textAt(const std::string& unevaluated, int depth) const;
  bool tagValue(const std::string& tag, int depth, std::string& value) const;
  bool variable(const std::string& name, std::string& unevaluated) const;

  const std::vector<Rule>& rules_;
  const std::string& applicationName_;
  const Identity& identity_;
  const std::vector<std::string>& environment_;
};

// Whether the text has a reference in it that one of the rules defines.
bool hasTags(const std::vector<Rule>& rules, const std::string& text);

}  // namespace appshot
