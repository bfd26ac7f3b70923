// The system calls that an instance may not make.
#pragma once

#include <linux/filter.h>

#include <vector>

namespace appshot {

// A deny list in the spirit of Docker's: calls that manage the machine, change namespaces or mounts, or look into the kernel
// answer EPERM; clone3 answers ENOSYS, for a filter cannot look into its arguments and C libraries then use clone; calls of
// another ABI (i386, x32) kill the process. Installed at launch and again by a restore.
const std::vector<sock_filter>& instanceFilter();

}  // namespace appshot
