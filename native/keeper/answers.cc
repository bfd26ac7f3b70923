#include "keeper/answers.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/sys/failpoint.h"
#include "core/pod/network.h"
#include "core/sys/sys.h"

namespace appshot {

using Json = nlohmann::ordered_json;

Json phasesJson(const PhasesUs& phases) {
  Json json = Json::object();
  for (const auto& [name, us] : phases) {
    double before = json.contains(name) ? json[name].get<double>() : 0;
    json[name] = before + std::round(us) / 1000;
  }
  return json;
}

PhasesUs joined(const PhasesUs& first, const PhasesUs& then) {
  PhasesUs all = first;
  all.insert(all.end(), then.begin(), then.end());
  return all;
}

std::vector<pid_t> processesOf(const Instance& instance) {
  auto pids = instance.pod->groups.pids();
  std::erase(pids, instance.pod->init);
  return pids;
}

// Memory that a woken program got before it was in its v1 cgroup is charged to the keeper's. What it has of its own is known from
// its processes then, unless it is a clone: most of that is its template's.
CgroupUsage usageOf(const Instance& instance) {
  CgroupUsage usage = instance.pod->groups.usage();
  bool isChargedLate = instance.pod->groups.v1.count("memory") > 0 && !instance.image.empty() && !instance.isClone;
  if (!isChargedLate) return usage;
  uint64_t own = 0;
  for (pid_t pid : processesOf(instance)) {
    auto status = readFileIfThere("/proc/" + std::to_string(pid) + "/status");
    size_t at = status.find("\nRssAnon:");
    if (at != std::string::npos) own += std::strtoull(status.c_str() + at + 9, nullptr, 10) << 10;
  }
  usage.memoryBytes = std::max(usage.memoryBytes, own);
  return usage;
}

Json runningJson(const Instance& instance, const PhasesUs& phases, std::optional<size_t> processes) {
  std::string ip = textOf(instance.pod->farmIp);
  return {{"aid", instance.aid},
          {"pid", instance.root},
          {"pids", processes ? *processes : processesOf(instance).size()},
          {"ip", ip},
          {"address", ip + ":" + std::to_string(instance.spec.port)},
          {"phases", phasesJson(phases)}};
}

Stopwatch::Stopwatch() : last_(monotonicUs()) {}

void Stopwatch::lap(const char* phase) {
  double now = monotonicUs();
  phases.emplace_back(phase, now - last_);
  last_ = now;
  failpoint(phase);
}

}  // namespace appshot
