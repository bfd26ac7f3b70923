// Processes that a signal has stopped: whether their parents know.
#pragma once

#include "core/image/model.h"
#include "core/snapshot/stopped_tree.h"

namespace appshot {

// Sets Process::stopUntold of children whose parent would be told by its next wait(). Each parent is made to ask, without taking the
// answer away.
void collectStops(StoppedTree& tree, State& state);

}  // namespace appshot
