// What cannot be saved, named before anything is stopped.
#pragma once

#include <sys/types.h>

#include <vector>

#include "core/snapshot/collect_process.h"

namespace appshot {

// Throws Error `unsupported-state` that names everything of these processes that cannot be saved.
void refuseUnsupported(const std::vector<pid_t>& pids, pid_t init);

// What is read before the stop, once no memory of the process is missing any more: a program that an earlier keeper woke may still
// wait for its filler, and such pages would look empty. Throws Error `unsupported-state` where it takes too long.
ProcessPreview previewWholeProcess(pid_t pid);

}  // namespace appshot
