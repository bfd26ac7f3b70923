// The rules of a launch request, as the command or an agent has parsed them.
#pragma once

#include <vector>

#include "keeper/instance.h"
#include "keeper/request_fields.h"

namespace appshot {

// Throws Error `bad-request`. Paths that are to be shared become binds of `spec`.
std::vector<Rule> readRules(const Json& rules, InstanceSpec& spec);
CloneSettings readCloneSettings(const Json& clone);

}  // namespace appshot
