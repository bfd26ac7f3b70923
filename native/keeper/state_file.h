// What the keeper remembers on disk: of a running instance, so that the next keeper can adopt it; of an image, so that it can
// be restored; its own settings.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "keeper/instance.h"

namespace appshot {

nlohmann::json jsonOf(const InstanceSpec& spec);
// Throws Error `image-invalid` when a field is missing or of a wrong type.
InstanceSpec specOf(const nlohmann::json& json);

// The whole state of a running instance. `ending`: the token of an image that is about to replace it; where an image with that
// token is in its place, the instance must not run on.
nlohmann::json jsonOf(const Instance& instance, const std::string& ending);
// Fills in everything but the pod's descriptors. Returns the init's start time (clock ticks since boot) and `ending`.
struct FormerInstance {
  unsigned long long initStart = 0;
  std::string ending;
};
FormerInstance readInstance(const nlohmann::json& json, Instance& instance);

// Writes beside, syncs with `durable`, renames.
void replaceFile(const std::string& path, const std::string& text, bool durable = false);

// As replaceFile, but fills a file that is there and empty with one write, which costs no new file.
void writeState(const std::string& path, const std::string& text);

// Start time of a process in clock ticks since boot, 0 when it is gone: tells one process from a later one of the same pid.
unsigned long long startTimeOf(pid_t pid);

}  // namespace appshot
