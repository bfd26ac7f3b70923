#include "core/template/classify.h"

#include <algorithm>
#include <cstdlib>

#include "core/template/references.h"

namespace appshot {

namespace {

bool isBelowOrSame(const std::string& path, const std::string& directory) {
  return path == directory || path.rfind(directory + "/", 0) == 0;
}

bool isFile(ResourceType type) {
  return type == ResourceType::OpenFile || type == ResourceType::MappedFile || type == ResourceType::Volume || type == ResourceType::Files;
}

CloneClass classNamed(const std::string& verb) {
  if (verb == "share") return CloneClass::Share;
  if (verb == "copy") return CloneClass::CopyOnWrite;
  if (verb == "duplicate") return CloneClass::Duplicate;
  return CloneClass::Virtualize;
}

bool appliesTo(const Rule& rule, const Traits& traits) {
  if (rule.is(RuleKind::SetEnv)) return traits.type == ResourceType::Variable && traits.path == rule.subject;
  if (rule.is(RuleKind::Redirect)) return (traits.type == ResourceType::Path || isFile(traits.type)) && isBelowOrSame(traits.path, rule.subject);
  if (!rule.is(RuleKind::Override)) return false;
  if (rule.qualifier == "path") return isFile(traits.type) && isBelowOrSame(traits.path, rule.subject);
  if (rule.qualifier == "memory") return traits.type == ResourceType::Memory && (rule.subject == "*" || rule.subject == traits.path);
  return traits.type == ResourceType::Port && traits.path == rule.subject;
}

CloneClass classOf(const Rule& rule) {
  if (rule.is(RuleKind::SetEnv)) return CloneClass::Virtualize;
  return rule.is(RuleKind::Redirect) ? CloneClass::Redirect : classNamed(rule.value);
}

}  // namespace

ClassifiedResource classify(const Traits& traits, const std::vector<Rule>& rules) {
  ClassifiedResource resource{traits.type, traits.identity, traits.size, CloneClass::Recreate, ClassReason::Plain, 0};
  auto is = [&](CloneClass cloneClass, ClassReason reason) {
    resource.cloneClass = cloneClass;
    resource.reason = reason;
    return resource;
  };
  auto rule = std::find_if(rules.begin(), rules.end(), [&](const Rule& one) { return appliesTo(one, traits); });
  if (rule != rules.end()) {
    resource.line = rule->line;
    return is(classOf(*rule), ClassReason::Rule);
  }
  if (traits.shared) return is(CloneClass::Share, ClassReason::Shared);
  if (traits.modifiable && traits.largeWithObject) return is(CloneClass::CopyOnWrite, ClassReason::LargeWithObject);
  if (traits.modifiable) return is(CloneClass::Duplicate, ClassReason::Modifiable);
  if (traits.unique == Traits::Unique::OnSystem && traits.exported) return is(CloneClass::Multiplex, ClassReason::Exported);
  if (traits.unique == Traits::Unique::OnSystem) return is(CloneClass::Virtualize, ClassReason::Internal);
  if (traits.unique == Traits::Unique::OnNetwork) return is(CloneClass::Allocate, ClassReason::Network);
  return resource;
}

std::vector<ClassifiedResource> classifyAll(const State& state, const Surroundings& surroundings, const std::vector<Rule>& rules) {
  std::vector<ClassifiedResource> all;
  for (const Traits& traits : resourcesOf(state, surroundings, rules)) all.push_back(classify(traits, rules));
  return all;
}

std::vector<uint16_t> portsKeptInside(const std::vector<Rule>& rules) {
  std::vector<uint16_t> ports;
  for (const Rule& rule : rules)
    if (rule.is(RuleKind::Override) && rule.qualifier == "port" && rule.value == "virtualize") ports.push_back(static_cast<uint16_t>(std::strtoul(rule.subject.c_str(), nullptr, 10)));
  return ports;
}

bool duplicatesMemory(const std::vector<Rule>& rules, const std::string& program) {
  Traits memory;
  memory.type = ResourceType::Memory;
  memory.path = program;
  return classify(memory, rules).cloneClass == CloneClass::Duplicate;
}

}  // namespace appshot
