// Finds the keeper of an engine directory, or starts one.
#pragma once

#include <string>

#include "core/sys/unique_fd.h"

namespace appshot {

// A connection to the keeper of `directory`, which has answered on it. Blocks for as long as a keeper takes to start.
// Throws Error.
UniqueFd connectToKeeper(const std::string& directory, const std::string& keeperProgram);

}  // namespace appshot
