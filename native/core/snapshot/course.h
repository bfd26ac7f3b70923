// What a snapshot means for the instance, and what it did to it.
#pragma once

#include <functional>
#include <vector>

#include "core/snapshot/closed_doors.h"
#include "core/snapshot/tcp_repair.h"
#include "core/sys/unique_fd.h"

namespace appshot {

// No packet reaches the pod, for as long as this is there and unless it is let go.
class Silence {
 public:
  using Switch = std::function<void(bool silent)>;
  explicit Silence(Switch change) : change_(std::move(change)) {}
  ~Silence() {
    if (silent_) change_(false);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  void begin() {
    if (!silent_) change_(true);
    silent_ = true;
  }
  // The pod ends: it stays silent.
  void letGo() { silent_ = false; }

 private:
  Switch change_;
  bool silent_ = false;
};

struct Course {
  bool ends = false;                    // the instance goes to sleep: what waits to be accepted can be taken from it
  bool rehearses = false;               // nothing is stopped yet: what cannot be saved is found, and nothing is taken, changed or copied
  bool hasTaken = false;                // something was: it cannot be let run on any more without losing that
  ClosedDoors* doors = nullptr;         // where it ends: nobody is to come in any more
  bool keepsOutside = false;            // connections to the outside are to be kept
  Silence* silence = nullptr;           // where they are
  std::vector<UniqueFd> keptOutside{};  // those that were: they have to end without a word
};

}  // namespace appshot
