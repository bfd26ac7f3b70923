// Finds the keeper of an engine directory, or starts one.
#pragma once

#include <string>

#include "core/sys/unique_fd.h"

namespace appshot {

struct KeeperSocket {
  UniqueFd socket;
  UniqueFd bell;                         // to be rung for each message: see keeper/wire.h
};

// A connection to the keeper of `directory`, which has answered on it. Blocks for as long as a keeper takes to start.
// Throws Error.
KeeperSocket connectToKeeper(const std::string& directory, const std::string& keeperProgram);

}  // namespace appshot
