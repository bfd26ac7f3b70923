// What a program is likely to need at its next wake, beside what it missed at those before.
#pragma once

#include <vector>

#include "core/fill/working_set.h"
#include "core/image/model.h"

namespace appshot {

// Of one that was never woken: the contents of its smallest ranges of memory, as many as make kMostGuessed pages. Stacks, tables, young heaps and
// code lie in them; what a site keeps in bulk lies in few large ones. Of Node.js with 56 and 400 MB they hold 3/4 and 1/2 of what a first request
// needs.
std::vector<TouchedPage> likelyPages(const State& state);

// What it has written since it was woken, and so stands from the position `from` on in the image's page file: new objects, the ends of its heaps,
// code that was compiled. Nothing if that is more than is worth it: whatever else it did tells little about a first request.
std::vector<TouchedPage> lastWritten(const State& state, uint64_t from);

}  // namespace appshot
