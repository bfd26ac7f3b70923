// What a process has, besides memory and files, that cannot be saved. Looked for from outside.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace appshot {

// Names what a process has that cannot be saved; stops nothing. `init`: pid of the pod's init on the node.
std::vector<std::string> unsupportedProcessState(pid_t pid, pid_t init);

// The same of what cannot be in a template only.
std::vector<std::string> unsupportedInTemplate(pid_t pid);

// Its next instruction is a system call: how a wait with a time limit looks that a wake has made again.
bool standsBeforeCall(pid_t process, uint64_t instruction);

// Why a template cannot have a process that was stopped while it computed.
std::string standsInTheMiddle(const std::string& who);

}  // namespace appshot
