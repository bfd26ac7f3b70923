// In which order, and by whom, the processes of a tree have to be made so that each has its parent, session and group again.
//
// A session is begun by its leader and inherited at birth; nobody can enter one. So a process is made by its parent while that is in the
// right session, which may be the one it was born in itself; or by somebody in that session through a process between that ends at
// once, which leaves its child to the pod's init or to the nearest subreaper, as its true parent's end did. Where a leader has ended
// long ago, a process with its id is made once more to begin the session. The same goes for groups.
//
// Where an orphan has to come past a process that is a subreaper itself, to one further up, that one becomes a subreaper only when the
// orphan has passed, and makers of its own orphans wait for it: ADR 0141.
#pragma once

#include <cstdint>
#include <vector>

#include "core/image/model.h"

namespace appshot {

enum class BirthEnd {
  Lives,
  Zombie,       // ends when all groups are joined; its parent will collect it
  AtOnce,       // ends when it has made its children; collected by its maker
  AfterGroups,  // led a group: ends when all are joined; collected by its maker
};

struct Birth {
  int32_t pid = 0;
  const Process* process = nullptr;  // null for one that is not part of the image
  BirthEnd end = BirthEnd::Lives;
  bool leadsSession = false;
  bool leadsGroup = false;
  bool adopts = false;               // is a subreaper when its orphans are made: from the start, or once `passing` orphans have come past it
  int32_t passing = 0;
  std::vector<size_t> before, after; // children made before it begins its session, and after; numbers in BirthPlan::births
  std::vector<size_t> late, adopted; // after these: before it becomes a subreaper late, and then
  int64_t awaits = -1;               // the birth that has to be a subreaper before this one is made, which leaves orphans to it
  std::vector<size_t> passes;        // the births that its orphans come past; each counts it when it has ended
};

struct BirthPlan {
  std::vector<Birth> births;
  size_t first = 0;                  // made from outside of the pod, as a child of its init
  size_t root = 0;                   // the first process of the image
  bool gathersGroups() const;        // some end only when all groups are joined
};

// Needs the ids, names, `zombie` and `subreaper` of the processes only; parents have to stand before their children.
// Throws Error `unsupported-state` that names the process which cannot be made.
BirthPlan planBirths(const State& state);

// Goes through a plan as the tapes will. Throws Error `unsupported-state` that names a process which would come to another parent or
// session, or would never be made.
void checkBirths(const BirthPlan& plan);

}  // namespace appshot
