// Descriptors of a running process that cannot be saved. Looked for from outside.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace appshot {

// What descriptor `fd` is, whose link in /proc is `link`; empty for what can be saved.
std::string unsupportedDescriptor(pid_t pid, int fd, const std::string& link);

// Names them ("pid 7 (node): fd 12 is an io_uring; not supported"). `who` is the process as messages call it.
std::vector<std::string> unsupportedDescriptors(const std::string& who, pid_t pid);

}  // namespace appshot
