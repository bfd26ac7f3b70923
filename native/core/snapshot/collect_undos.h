// What semop(SEM_UNDO) is to take back when a process ends.
#pragma once

#include "core/image/model.h"
#include "core/snapshot/stopped_tree.h"

namespace appshot {

// Fills in Process::undos of every process that keeps such a list. `state` holds the semaphores already; `init` is the pod's init on
// the node. Nothing changes: the kernel is asked by calls that it has to refuse.
void collectUndos(StoppedTree& tree, pid_t init, State& state);

}  // namespace appshot
