// Everything of a process but its memory pages and its files: ids, threads, registers, signals, timers, credentials, limits.
#pragma once

#include <map>
#include <string>

#include "core/image/model.h"
#include "core/snapshot/gadgets.h"
#include "core/snapshot/stopped_tree.h"
#include "core/snapshot/waits.h"
#include "core/sys/proc.h"

namespace appshot {

// What is read before the stop, since it takes long and does not change behind our back.
struct ProcessPreview {
  std::map<uint64_t, std::string> vmFlags;
  Gadgets gadgets;
  WaitsBegun waits;
};
ProcessPreview previewProcess(pid_t pid, const std::vector<MapLine>& maps);

// Address of a `syscall` instruction in the process. Throws Error where it has none.
uint64_t syscallInstruction(pid_t pid, const Gadgets& gadgets);

// Fills in all but the ids (family.h), vmas, runs and descriptors.
void collectProcess(StoppedProcess& stopped, const ProcessPreview& preview, const std::vector<MapLine>& maps, Process& process);

}  // namespace appshot
