// From a launch request to what an instance is: who runs what where, and what of the host it has to see for that.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/launch/program_start.h"
#include "core/pod/base_view.h"
#include "keeper/instance.h"

namespace appshot {

struct LaunchRequest {
  std::string aid;
  InstanceSpec spec;
  std::string readyPath;
  int readyWithinMs = 30'000;
};

// Validates. Throws Error `bad-request`.
LaunchRequest readLaunchRequest(const nlohmann::json& params, const std::string& engine, const BaseViews& bases);

Program programOf(const InstanceSpec& spec);

}  // namespace appshot
