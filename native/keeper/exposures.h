// What an instance would not see of itself, but was told to use: shown to it read-only.
#pragma once

#include <string>

#include "core/pod/base_view.h"
#include "keeper/instance.h"

namespace appshot {

// Adds binds to `spec`, whose command, directory and user are known, and completes its PATH:
//  - programs outside the usual places (~/.nvm) with their installation, also by way of the links of a Python environment or a script's
//    first line; one without a slash is looked for in PATH, or else in `searchPath`,
//  - scripts and configuration files that the command names by an absolute path,
//  - packages of Node.js that stand above the directory, or that its own node_modules leads to (workspaces).
// `engine` is never shown.
void exposeWhatItUses(InstanceSpec& spec, const std::string& searchPath, const std::string& engine, const BaseViews& bases);

// NAME=value in a list of variables, or null.
std::string* findVariable(std::vector<std::string>& env, const std::string& name);
// With all links resolved; empty where nothing is.
std::string realPathOf(const std::string& path);

}  // namespace appshot
