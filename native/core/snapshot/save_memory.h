// Private memory of stopped processes into the image.
#pragma once

#include <functional>
#include <optional>

#include "core/image/image.h"
#include "core/image/model.h"
#include "core/snapshot/stopped_tree.h"

namespace appshot {

// Says whether to go on; asked between pieces.
using GoOn = std::function<bool()>;

// Copies the runs of all processes while they stand still. False when `goOn` said no.
bool copyStopped(const StoppedTree& tree, const State& state, PageWriter& pages, const GoOn& goOn);

// The same for processes that run on: `tree` is let go (reset) as soon as what they do next cannot change what is saved.
// Calls `running` right after that.
bool copyWhileRunning(std::optional<StoppedTree>& tree, const State& state, PageWriter& pages, const GoOn& goOn, const std::function<void()>& running);

}  // namespace appshot
