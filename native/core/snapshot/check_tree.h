// Whether the processes of a tree can be made again in the order in which processes are made.
#pragma once

#include "core/image/model.h"

namespace appshot {

// Throws Error `unsupported-state` that names a process in a session or group that a restore could not put it into.
void checkTree(const State& state);

}  // namespace appshot
