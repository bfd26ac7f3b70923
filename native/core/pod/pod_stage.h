// What the first process of a pod does before it becomes the init: it sees to /proc and /sys.
#pragma once

#include <string>

#include "core/sys/unique_fd.h"

namespace appshot {

struct StageFailure {
  int step = -1;            // -1: there was none
  int err = 0;
};

// Everything that the new process needs, put together before it is made.
struct StagePlan {
  int exitsRead, exitsWrite;
  int control;              // the init's end of its socket
  int initFd;               // the executable of the init
  StageFailure* failure;    // the maker waits, and looks there
};

// A mount namespace that has nothing of the host's: a small tmpfs, read-only, with the places where a pod mounts what it has. It is
// what the namespaces of pods are copies of: leaving the host's mounts anew for each would cost a walk through all tasks of the
// machine (pivot_root). `at`: an existing directory, only needed while it is made. Throws Error.
UniqueFd makeBareNamespace(const std::string& at);

// Names a StageFailure's step.
const char* stageStepName(int step);

// Runs in the bare namespace's copy, in the memory of its maker, which has several threads: allocates nothing, takes no lock, throws
// nothing. Only returns by exec or _exit.
[[noreturn]] void runStage(const StagePlan& plan);

}  // namespace appshot
