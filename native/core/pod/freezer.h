// The freezer of a pod's cgroup v2 directory.
#pragma once

#include "core/pod/pod.h"

namespace appshot {

// Stops every task of the pod where it stands, its init too, and returns once all of them do: tens of microseconds, unless one
// waits in the kernel. Throws Error `unsupported-state` without cgroup v2, or `timeout` after `withinMs`; it runs on then.
void freeze(const Pod& pod, int withinMs);
// Lets them run again. No harm where they do.
void thaw(const Pod& pod);
// Whether somebody has frozen it.
bool isFrozen(const Pod& pod);

}  // namespace appshot
