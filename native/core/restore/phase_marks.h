// Measures the phases of a restore or clone: each begins where the last one ended.
#pragma once

#include "core/snapshot/snapshot.h"
#include "core/sys/failpoint.h"
#include "core/sys/sys.h"

namespace appshot {

class PhaseMarks {
 public:
  PhaseMarks() : lastUs_(monotonicUs()) {}
  void done(PhasesUs& phases, const char* name) {
    double now = monotonicUs();
    phases.emplace_back(name, now - lastUs_);
    lastUs_ = now;
    failpoint(name);
  }

 private:
  double lastUs_;
};

}  // namespace appshot
