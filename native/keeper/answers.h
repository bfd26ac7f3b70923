// Parts of answers that several operations give.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "core/snapshot/snapshot.h"
#include "keeper/instance.h"

namespace appshot {

// Milliseconds by phase, in order; repeated names add up.
nlohmann::ordered_json phasesJson(const PhasesUs& phases);
// Those of `first`, then those of `then`.
PhasesUs joined(const PhasesUs& first, const PhasesUs& then);
// `processes`: how many it has, where that is known without a look at its cgroup. As `Running` in the engine's TypeScript interface.
nlohmann::ordered_json runningJson(const Instance& instance, const PhasesUs& phases, std::optional<size_t> processes = std::nullopt);
// What it uses now.
CgroupUsage usageOf(const Instance& instance);
// Host pids of the instance's processes, without the pod's init.
std::vector<pid_t> processesOf(const Instance& instance);

// Measures phases: each begins where the last one ended.
class Stopwatch {
 public:
  Stopwatch();
  void lap(const char* phase);
  PhasesUs phases;

 private:
  double last_;
};

}  // namespace appshot
