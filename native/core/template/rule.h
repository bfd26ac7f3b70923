// One rule of a template, with its references as they were written: an image keeps rules unevaluated. docs/rules.md.
#pragma once

#include <cstdint>
#include <string>

namespace appshot {

enum class RuleKind : uint32_t { Define = 0, Redirect = 1, SetEnv = 2, Override = 3 };

struct Rule {
  uint32_t kind = 0;          // RuleKind
  uint32_t line = 0;          // in the rules' text, from 1
  std::string subject;        // tag without < >; path that is redirected; name of a variable; resource of an override
  std::string value;          // property; path with tags; text with tags; class of an override: share, copy, duplicate, virtualize
  std::string qualifier;      // what a tag stands for where the property is not set; kind of an override's resource: path, memory,
                              // port; "directory" where a redirected path is one from the beginning
  bool hasQualifier = false;

  bool is(RuleKind wanted) const { return kind == static_cast<uint32_t>(wanted); }
};

}  // namespace appshot
