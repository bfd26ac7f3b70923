// POSIX message queues.
#pragma once

#include <string>

#include "core/image/model.h"

namespace appshot {

// A queue without its messages. `what` names it in messages ("fd 7"), `link` is its name, as /proc has it, `path` opens it.
// Throws Error `unsupported-state` where it cannot be made again.
IpcObject describeQueue(const std::string& what, const std::string& link, const std::string& path);

// Reads the messages of a queue that `path` opens; see below.
void readQueueMessages(const std::string& path, IpcObject& object);

// Reads the messages of every queue of the pod that `init` is the first process of; also of those that nobody has open, but not of those that have lost their
// name. The kernel
// has no way to look at a message but to take it: they are put back in their order. All who could notice have to be stopped.
void collectQueueMessages(pid_t init, State& state);

}  // namespace appshot
