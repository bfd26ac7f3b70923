// What an image needs of the machine it wakes on.
#pragma once

#include "core/image/model.h"

namespace appshot {

// Of this machine.
Environment readEnvironment();

// Throws Error `environment-mismatch` that names the first difference.
void checkEnvironment(const Environment& image);

}  // namespace appshot
