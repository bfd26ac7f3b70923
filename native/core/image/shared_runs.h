// All page runs of a state but those of private memory.
#pragma once

#include "core/image/model.h"

namespace appshot {

// Every kind of contents that a snapshot writes to pages.bin by itself has to be visited: when a snapshot begins again without a
// base, their positions move.
template <typename AnyState, typename Visit>
void forEachSharedRun(AnyState& state, Visit&& visit) {
  auto visitAll = [&](auto& objects) {
    for (auto& object : objects)
      for (auto& run : object.runs) visit(run);
  };
  visitAll(state.sharedMemory);
  visitAll(state.ipc);
}

}  // namespace appshot
