// Everything of a process but its memory pages and its files: ids, threads, registers, signals, timers, credentials, limits.
#pragma once

#include <map>
#include <string>

#include "core/image/model.h"
#include "core/snapshot/gadgets.h"
#include "core/snapshot/stopped_tree.h"
#include "core/sys/proc.h"

namespace appshot {

// What is read before the stop, since it takes long and does not change behind our back.
struct ProcessPreview {
  std::map<uint64_t, std::string> vmFlags;
  Gadgets gadgets;
};
ProcessPreview previewProcess(pid_t pid, const std::vector<MapLine>& maps);

// Names what a process has that cannot be saved; stops nothing.
std::vector<std::string> unsupportedProcessState(pid_t pid, pid_t init);

// Address of a `syscall` instruction in the process. Throws Error where it has none.
uint64_t syscallInstruction(pid_t pid, const Gadgets& gadgets);

// The thread was stopped in a system call that it takes up again: it is waiting, and holds no lock of its libraries.
bool waitsInKernel(const user_regs_struct& registers);

// Fills in all but vmas, runs and descriptors.
void collectProcess(StoppedProcess& stopped, const StoppedTree& tree, const ProcessPreview& preview, Process& process);

}  // namespace appshot
