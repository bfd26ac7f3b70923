// What processes and threads share of each other in ways that cannot be made again.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace appshot {

// Names processes that share memory, descriptor table or file-system state with another process, and threads that do not share them
// with theirs. Looks from outside, at processes that may run.
std::vector<std::string> unsupportedSharing(const std::vector<pid_t>& pids);

}  // namespace appshot
