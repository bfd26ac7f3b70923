// What a safe clone, or a program that is to be told something when it comes back, needs of its image.
#pragma once

#include <string>

#include "core/image/model.h"
#include "core/pod/pod.h"

namespace appshot {

// Throws Error `unsupported-state` when no safe clone can be made of the image: a program was saved in the middle of computing, so
// that nothing can be called in it; or, without `duplicateRandomness`, it does not have the preloaded library.
void requireCloneable(const State& state, bool duplicateRandomness);

// A program of a running pod without the preloaded library, whose clones would draw the same random numbers. Empty: there is none.
std::string withoutConfigurator(const Pod& pod);

}  // namespace appshot
