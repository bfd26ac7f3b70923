// Descriptors of a running process that cannot be saved. Looked for from outside.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace appshot {

// Names them ("pid 7 (node): fd 12 is an io_uring; not supported"). `who` is the process as messages call it.
std::vector<std::string> unsupportedDescriptors(const std::string& who, pid_t pid);

}  // namespace appshot
