// Visits to other namespaces by the calling thread.
#pragma once

#include "core/sys/unique_fd.h"

namespace appshot {

// While it lives, the calling thread is in the given namespaces of a process; then back in those of this process's first
// thread, which must never leave its own.
class InNamespaces {
 public:
  // `kinds`: CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUTS…; those that a thread of a process with several can enter.
  InNamespaces(int pidfd, int kinds);
  ~InNamespaces();
  InNamespaces(const InNamespaces&) = delete;
  InNamespaces& operator=(const InNamespaces&) = delete;

 private:
  UniqueFd own_;
  int kinds_;
};

}  // namespace appshot
