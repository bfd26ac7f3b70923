// System V shared memory, semaphores and message queues of a pod.
#pragma once

#include "core/image/image.h"
#include "core/pod/pod.h"

namespace appshot {

// While everything is stopped. Contents of shared memory go to `pages`.
// Undo lists of semaphores (SEM_UNDO) cannot be read from the kernel and are not kept.
void collectIpc(const Pod& pod, State& state, PageWriter& pages);

}  // namespace appshot
