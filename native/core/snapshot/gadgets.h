// Instructions of the program itself over which a restored task leaves the restorer.
//
// The last thing a task does is to unmap the page it runs in; what comes next has to stand elsewhere. Every C library has
// `syscall; ret` (getpid and the like) and a signal trampoline `mov $15, %rax; syscall`; so have the Go and musl runtimes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "core/sys/proc.h"

namespace appshot {

struct Gadgets {
  uint64_t syscallReturn = 0;  // 0: none
  uint64_t sigreturn = 0;
};

// Looks through the executable file mappings of a process; these do not change, so it need not be stopped.
Gadgets findGadgets(pid_t pid, const std::vector<MapLine>& maps);

}  // namespace appshot
