// Processes that a signal had stopped when the image was taken are stopped again, before an instruction of their own has run.
#pragma once

#include "core/image/model.h"
#include "core/pod/pod.h"

namespace appshot {

class StatusPage;

bool anyStands(const State& state);
bool hasStandingChild(const State& state, const Process& parent);

// All that are counted wait at their gates (Arrival kAtGate). Brings those that are to stand to a stand, children before their parents,
// and opens all gates. A thread of theirs is watched from the restorer to where the kernel has given it the program's registers; only
// then comes the signal, while all others are still kept out. ADR 0140. Where a
// process failed meanwhile it returns with the gates closed, and the status page says why; else throws Error, and the caller takes the
// pod down.
void bringToStand(const State& state, const Pod& pod, StatusPage& status);

}  // namespace appshot
