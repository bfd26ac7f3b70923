// What a snapshot means for the instance, and what it did to it.
#pragma once

namespace appshot {

struct Course {
  bool ends = false;      // the instance goes to sleep: what waits to be accepted can be taken from it
  bool rehearses = false; // nothing is stopped yet: what cannot be saved is found, and nothing is taken, changed or copied
  bool hasTaken = false;  // something was: it cannot be let run on any more without losing that
};

}  // namespace appshot
