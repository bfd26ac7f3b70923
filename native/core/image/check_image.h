// Whether what an image says of its processes and pages can be used.
#pragma once

#include <string>

#include "core/image/image.h"

namespace appshot {

// Throws Error `image-invalid`, which begins with `place`.
void checkImage(const State& state, const PageTables& pages, const std::string& place);

}  // namespace appshot
