#include "core/restore/waiting.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "core/restore/standing.h"
#include "core/snapshot/collect_thread.h"

namespace appshot {

namespace {

constexpr uint64_t kEventCalls[] = {SYS_epoll_wait, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_poll, SYS_ppoll, SYS_select, SYS_pselect6, SYS_accept, SYS_accept4};

user_regs_struct registersOf(const Thread& thread) {
  user_regs_struct registers;
  std::memcpy(&registers, thread.registers.data(), sizeof registers);
  return registers;
}

}  // namespace

bool wasAtRest(const Thread& thread) { return waitsInKernel(registersOf(thread)); }

bool waitedForEvents(const Thread& thread) {
  return wasAtRest(thread) && std::find(std::begin(kEventCalls), std::end(kEventCalls), registersOf(thread).orig_rax) != std::end(kEventCalls);
}

bool waitedForThreads(const Thread& thread) {
  user_regs_struct registers = registersOf(thread);
  int operation = static_cast<int>(registers.rsi) & FUTEX_CMD_MASK;
  bool isPrivate = static_cast<int>(registers.rsi) & FUTEX_PRIVATE_FLAG;
  bool isForEver = registers.r10 == 0;  // the time limit
  return wasAtRest(thread) && registers.orig_rax == SYS_futex && isPrivate && isForEver && (operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET);
}

bool threadsGoAhead(const State& state, const Process& process) {
  auto isSet = [](const IntervalTimer& timer) { return timer.valueUs > 0; };
  auto signals = [](const OpenFile& file) { return (file.flags & O_ASYNC) || file.leaseType >= 0; };
  // All meet before they install filters of the program's own.
  auto filters = [](const Thread& thread) { return !thread.ownFilters.empty(); };
  auto anyFilters = [&](const Process& one) { return std::any_of(one.threads.begin(), one.threads.end(), filters); };
  bool isSignalled = !process.queued.empty() || !process.posixTimers.empty() || std::any_of(std::begin(process.timers), std::end(process.timers), isSet) ||
                     std::any_of(state.files.begin(), state.files.end(), signals);
  // Whoever is stopped again is so before anybody runs, and his parent's SIGCHLD is to reach nobody.
  if (anyStands(state)) return false;
  // One that was between changing a word and waking who waits for it would let that one run on.
  return !isSignalled && std::none_of(state.processes.begin(), state.processes.end(), anyFilters) && std::all_of(process.threads.begin(), process.threads.end(), wasAtRest);
}

bool goesAhead(const Process& process, const Thread& thread) {
  return &thread != &process.threads.front() && thread.queued.empty() && waitedForThreads(thread);
}

size_t countGoingAhead(const State& state, const Process& process) {
  if (!threadsGoAhead(state, process)) return 0;
  return static_cast<size_t>(std::count_if(process.threads.begin(), process.threads.end(), [&](const Thread& thread) { return goesAhead(process, thread); }));
}

}  // namespace appshot
