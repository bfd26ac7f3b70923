// Parked instances: whole, with all their memory, and frozen; they use no CPU, and serve as soon as they are thawed.
#pragma once

#include "keeper/instance.h"

namespace appshot {

// Freezes a running instance. Throws Error; it runs on then. The caller holds `instance.operation`, as for all of these.
void parkNow(Instance& instance);
// Lets a parked instance run; false when it did already.
bool unparkNow(Instance& instance);

// Lets an instance run for as long as an operation needs its processes to, and parks it again where it still is one.
class Unparked {
 public:
  explicit Unparked(Instance& instance) : instance_(instance), wasParked_(unparkNow(instance)) {}
  ~Unparked();
  Unparked(const Unparked&) = delete;
  Unparked& operator=(const Unparked&) = delete;

 private:
  Instance& instance_;
  bool wasParked_;
};

}  // namespace appshot
