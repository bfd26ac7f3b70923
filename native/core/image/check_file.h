// Whether what an image says of an open file can be used.
#pragma once

#include "core/image/model.h"

namespace appshot {

// What is wrong with it, or nullptr.
const char* brokenPartOf(const OpenFile& file, const State& state);

}  // namespace appshot
