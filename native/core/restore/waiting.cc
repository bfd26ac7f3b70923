#include "core/restore/waiting.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include <algorithm>
#include <cstring>
#include <iterator>

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

}  // namespace appshot
