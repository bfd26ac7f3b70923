// What a fresh clone is told before it gets traffic.
#pragma once

#include "core/image/model.h"
#include "keeper/instance.h"

namespace appshot {

// Sends the app file's signal and asks its hook. Throws Error `clone-unconfirmed` naming what did not happen within the app file's
// time; the caller then takes the clone away: one that is half itself never gets traffic.
void greetClone(const Instance& instance, const State& state);

}  // namespace appshot
