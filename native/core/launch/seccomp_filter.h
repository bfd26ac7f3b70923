// The system calls that an instance may not make.
#pragma once

#include <linux/filter.h>

#include <vector>

namespace appshot {

// A deny list in the spirit of Docker's: calls that manage the machine, change namespaces or mounts, or look into the kernel
// answer EPERM; clone3 answers ENOSYS, for a filter cannot look into its arguments and C libraries then use clone; calls of
// another ABI (i386, x32) kill the process. Installed at launch and again by a restore.
// Without `asyncIo`, io_uring and Linux AIO answer ENOSYS, as on a kernel that has none: they cannot be saved, most programs only use
// them where they are there (Node.js from 22 on does), and what goes through a ring of io_uring passes no filter (ADR 0191).
const std::vector<sock_filter>& instanceFilter(bool asyncIo = false);

}  // namespace appshot
