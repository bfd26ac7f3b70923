#include "keeper/answers.h"

#include <cmath>

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

std::vector<pid_t> processesOf(const Instance& instance) {
  auto pids = instance.pod->groups.pids();
  std::erase(pids, instance.pod->init);
  return pids;
}

Json runningJson(const Instance& instance, const PhasesUs& phases) {
  std::string ip = textOf(instance.pod->farmIp);
  return {{"aid", instance.aid},
          {"pid", instance.root},
          {"pids", processesOf(instance).size()},
          {"ip", ip},
          {"address", ip + ":" + std::to_string(instance.spec.port)},
          {"phases", phasesJson(phases)}};
}

Stopwatch::Stopwatch() : last_(monotonicUs()) {}

void Stopwatch::lap(const char* phase) {
  double now = monotonicUs();
  phases.emplace_back(phase, now - last_);
  last_ = now;
}

}  // namespace appshot
