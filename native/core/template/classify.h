// What a clone does with each resource, by the standard criteria. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/image/model.h"
#include "core/template/resource.h"
#include "core/template/rule.h"
#include "core/template/surroundings.h"

namespace appshot {

// What the criteria ask of a resource.
struct Traits {
  ResourceType type = ResourceType::Memory;
  std::string identity;
  uint64_t size = 0;
  std::string path;           // where it is, if it is a file; its number, if it is a port; the program's name, if it is memory
  bool shared = false;        // no instance changes it, or all are meant to
  bool modifiable = false;
  bool largeWithObject = false;  // and what is below it can be shared until it is changed
  enum class Unique { No, OnSystem, OnNetwork } unique = Unique::No;
  bool exported = false;      // reached from outside the instance
};

// The criteria in their order: a rule of the user's; shared; modifiable and large with an underlying object; modifiable
// otherwise; unique on the system and exported, or not; unique on the network; else recreated as it was.
ClassifiedResource classify(const Traits& traits, const std::vector<Rule>& rules);

// Every resource of a saved instance.
std::vector<Traits> resourcesOf(const State& state, const Surroundings& surroundings, const std::vector<Rule>& rules);

std::vector<ClassifiedResource> classifyAll(const State& state, const Surroundings& surroundings, const std::vector<Rule>& rules);

// The ports that rules say are not reached from outside.
std::vector<uint16_t> portsKeptInside(const std::vector<Rule>& rules);
// Whether the rules give every clone its own copy of the program's memory at once.
bool duplicatesMemory(const std::vector<Rule>& rules, const std::string& program);

}  // namespace appshot
