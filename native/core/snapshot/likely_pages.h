// What a program that was never woken is likely to need at its first wake.
#pragma once

#include <vector>

#include "core/fill/working_set.h"
#include "core/image/model.h"

namespace appshot {

// The contents of its smallest ranges of memory, as many as make kMostGuessed pages: stacks, tables, young heaps and code lie in them, what a
// site keeps in bulk lies in few large ones. Of Node.js with 56 and 400 MB they hold 3/4 and 1/2 of what a first request needs.
std::vector<TouchedPage> likelyPages(const State& state);

}  // namespace appshot
