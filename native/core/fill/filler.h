// The filler: a process that fills the memory of woken programs while they run.
//
// A process of its own so that nobody's death makes missing pages read as zeros, which is what the kernel does when the last
// userfaultfd of a range closes: the pod's init holds a duplicate, also of those of children that are forked meanwhile, until the
// filler has told that all is filled; if the filler dies before, the init kills the instance (its image is whole); if the keeper dies,
// the filler finishes its work and ends.
//
// It hears of an instance before that has any process, so that the pages it will want are at hand when its userfaultfds come.
#pragma once

#include <string>

#include "core/fill/fill_job.h"
#include "core/pod/pod.h"
#include "core/sys/unique_fd.h"

namespace appshot {

// One instance that is about to be woken.
struct FillOrder {
  std::string imageDir;
  int plansFd = -1;      // see writePlans
  int pagesFd = -1;
  uint64_t pageBytes = 0;
  int baseFd = -1;        // of a delta: pages below baseBytes are here
  uint64_t baseBytes = 0;
  UniqueFd userfaultfds;  // socket from which the filler takes one userfaultfd a plan, each with its virtual pid
  UniqueFd duplicates;    // socket to which the same are sent, and from which nobody takes them
  int toDuplicates = -1;  // its other end: for the userfaultfds of children that are forked meanwhile
};

// Must stand first in main(): when this process was started as the filler, runs it and never returns.
void becomeFillerIfAsked(int argc, char** argv);

// Starts the filler, unless it runs. So that no wake has to.
void prepareFiller();

// Hands missing memory of an instance that will be in `pod`, a fresh one, over.
void startFilling(FillOrder order, const Pod& pod);

// Waits until all memory in the pod is filled; at once when it is.
void waitUntilFilled(const Pod& pod);

}  // namespace appshot
