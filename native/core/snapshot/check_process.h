// What a process has, besides memory and files, that cannot be saved. Looked for from outside.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace appshot {

// Names what a process has that cannot be saved; stops nothing. `init`: pid of the pod's init on the node.
std::vector<std::string> unsupportedProcessState(pid_t pid, pid_t init);

}  // namespace appshot
