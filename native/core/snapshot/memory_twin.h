// A copy-on-write copy of a stopped process, from which its memory is read while the process itself runs on.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "core/image/model.h"
#include "core/snapshot/stopped_tree.h"

namespace appshot {

class MemoryTwin {
 public:
  // Makes the stopped process fork, as a child of its own parent, which has to be the pod's init: another parent would be told
  // when the twin ends. The twin never runs an instruction of its own.
  // Memory that a fork would leave out (V8 marks its whole heap so) is taken along: the mark is lifted for that moment.
  MemoryTwin(StoppedProcess& stopped, uint64_t instruction, const std::vector<Vma>& vmas);
  // Kills it.
  ~MemoryTwin();
  MemoryTwin(const MemoryTwin&) = delete;
  MemoryTwin& operator=(const MemoryTwin&) = delete;

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

}  // namespace appshot
