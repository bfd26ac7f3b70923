#include "core/sys/interrupted_call.h"

#include <sys/syscall.h>

#include <cerrno>

namespace appshot {

namespace {

constexpr int64_t kRestartBlock = -516;  // ERESTART_RESTARTBLOCK: the kernel keeps what is left beside the thread

bool mayBeMadeAgain(const user_regs_struct& registers) {
  switch (registers.orig_rax) {
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
    case SYS_semop: return true;
    case SYS_epoll_pwait2:
    case SYS_semtimedop: return registers.r10 == 0;
    case SYS_rt_sigtimedwait: return registers.rdx == 0;
    // Of a socket with a time limit of its own, which begins again.
    case SYS_accept:
    case SYS_accept4:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_sendto:
    case SYS_sendmsg: return true;
    default: return false;
  }
}

uint64_t inMs(int64_t ns) { return static_cast<uint64_t>((ns + 999'999) / 1'000'000); }

}  // namespace

bool isInterruptedWait(const user_regs_struct& registers) {
  return static_cast<int64_t>(registers.rax) == -EINTR && mayBeMadeAgain(registers);
}

bool countsItsTime(const user_regs_struct& registers) {
  return static_cast<int64_t>(registers.rax) == kRestartBlock || isInterruptedWait(registers);
}

bool shortenWait(user_regs_struct& registers, int64_t leftNs) {
  bool known = leftNs >= 0;
  switch (registers.orig_rax) {
    case SYS_poll:
      if (known) registers.rdx = inMs(leftNs);
      return true;
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
      if (known) registers.r10 = inMs(leftNs);
      return true;
    case SYS_nanosleep:
    case SYS_clock_nanosleep: {
      bool clock = registers.orig_rax == SYS_clock_nanosleep;
      uint64_t rest = clock ? registers.r10 : registers.rsi;
      if (rest != 0) {
        // The kernel has written what is left there.
        (clock ? registers.rdx : registers.rdi) = rest;
      } else if (known) {
        // Without such a place: a poll of nothing, which takes its time in a register and ends in the same way.
        registers.orig_rax = SYS_poll;
        registers.rdi = registers.rsi = 0;
        registers.rdx = inMs(leftNs);
      }
      return true;
    }
    // Callers of futex reckon with being woken for nothing, and look at the clock again.
    case SYS_futex: return !known;
    default: return true;
  }
}

void makeAgain(user_regs_struct& registers) {
  registers.rax = registers.orig_rax;
  registers.rip -= 2;
  registers.orig_rax = static_cast<uint64_t>(-1);
}

}  // namespace appshot
