// Every mapped file has to be what it was, or the program would run on with other code under its feet.
#pragma once

#include <sys/types.h>

#include "core/image/model.h"

namespace appshot {

// Looks at them as the process `viewPid` sees them. Throws Error `environment-mismatch`.
void checkMappedFiles(const State& state, int view);

}  // namespace appshot
