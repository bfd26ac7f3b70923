// What only a process itself can say of itself, asked once, by its first thread: signal actions, timers, process-wide settings.
#pragma once

#include <sys/types.h>

#include <vector>

#include "core/image/model.h"
#include "core/snapshot/remote_batch.h"

namespace appshot {

class ProcessQuestions {
 public:
  // The calls are put into a batch; answer() reads the results out of it when it has run.
  ProcessQuestions(RemoteBatch& batch, pid_t pid);
  void answer(Process& process) const;

 private:
  struct KernelAction { uint64_t handler, flags, restorer, mask; };
  struct Asked { uint32_t number; RemoteAddress at; size_t call; };
  struct AskedTimer { PosixTimer timer; RemoteAddress at; size_t call; };

  RemoteBatch& batch_;
  std::vector<Asked> actions_, intervals_;
  std::vector<AskedTimer> timers_;
  RemoteAddress subreaper_;
  size_t brkCall_, dumpableCall_, subreaperCall_, thpCall_, membarrierCall_, denialsCall_;
};

}  // namespace appshot
