// Waits with a time limit that were under way when a thread was stopped, and how much of the limit was left.
#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include <cstdint>
#include <map>

namespace appshot {

// What was seen of a thread that waits, before the stop.
struct WaitBegun {
  int64_t sinceNs = 0;    // CLOCK_MONOTONIC: it left the CPU then, and has not run since
  uint64_t switches = 0;  // how often it had left the CPU of its own will
};
using WaitsBegun = std::map<pid_t, WaitBegun>;  // by thread

// The threads of a running process that wait in a call with a time limit. The kernel keeps no account of when a call began: it is when
// the thread last left its CPU, which the scheduler tells (CONFIG_SCHED_DEBUG; without it nothing is known).
WaitsBegun previewWaits(pid_t pid);

// Of a stopped thread: the time left in the wait that it was taken out of; -1 where it was in none, where its limit is a point in
// time or is kept by the program itself, or where the wait began after the look. `switches`: voluntary ones by now.
int64_t waitLeftNs(const WaitBegun& begun, pid_t process, const user_regs_struct& registers, uint64_t switches);

}  // namespace appshot
