// What the first process of a pod does before it becomes the init: leaves the host's mounts and sees to /proc and /sys.
#pragma once

#include "core/sys/unique_fd.h"

namespace appshot {

// Everything that the new process needs, put together before it is forked.
struct StagePlan {
  const char* stage;        // an existing directory; a small tmpfs is mounted there
  int exitsRead, exitsWrite;
  int control;              // the init's end of its socket
  int initFd;               // the executable of the init
  int reportFd;             // where StageFailure goes
};

struct StageFailure {
  int step;
  int err;
};

// Names a StageFailure's step.
const char* stageStepName(int step);

// Runs in a fork of a process with several threads: allocates nothing, takes no lock, throws nothing. Only returns by exec
// or _exit.
[[noreturn]] void runStage(const StagePlan& plan);

}  // namespace appshot
