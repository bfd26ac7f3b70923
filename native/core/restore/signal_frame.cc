// Builds what the kernel itself would have put on the stack for a signal handler.
#include <sys/user.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>

#include "core/restore/compile.h"
#include "core/sys/error.h"
#include "core/sys/interrupted_call.h"

namespace appshot {

namespace {

// arch/x86/include/uapi/asm/sigcontext.h and ucontext.h, in the kernel's own layout.
struct KernelSigcontext {
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
  uint16_t cs, gs, fs, ss;
  uint64_t err, trapno, oldmask, cr2, fpstate, reserved[8];
};
struct KernelUcontext {
  uint64_t flags, link, stackPointer;
  int32_t stackFlags, pad;
  uint64_t stackSize;
  KernelSigcontext context;
  uint64_t mask;
};
struct KernelFrame {
  uint64_t returnAddress;
  KernelUcontext ucontext;
  uint8_t info[128];
};
// Written at byte 464 of the XSAVE area: tells sigreturn that there is more than the legacy part.
struct SoftwareReserved {
  uint32_t magic1, extendedSize;
  uint64_t features;
  uint32_t size, padding[7];
};
constexpr uint32_t kMagic1 = 0x46505853, kMagic2 = 0x46505845;
constexpr uint64_t kUcXstate = 1, kUcSs = 2, kUcStrictSs = 4;
constexpr uint64_t kRedZone = 128;

// A signal that is to be handled as soon as the thread runs: the program counts on EINTR after it.
bool signalWaits(const Process& process, const Thread& thread, bool restarting) {
  auto isHandled = [&](const QueuedSignal& signal) {
    int32_t number;
    std::memcpy(&number, signal.siginfo.data(), 4);
    bool blocked = number < 1 || number > 64 || (thread.signalMask >> (number - 1) & 1);
    return !blocked && std::any_of(process.actions.begin(), process.actions.end(), [&](const SignalAction& action) {
      return action.number == static_cast<uint32_t>(number) && action.handler > 1 /* SIG_IGN */ && !(restarting && (action.flags & SA_RESTART));
    });
  };
  return std::any_of(thread.queued.begin(), thread.queued.end(), isHandled) || std::any_of(process.queued.begin(), process.queued.end(), isHandled);
}

// A thread that was stopped inside a system call takes it up again.
void resumeSyscall(const Process& process, const Thread& thread, user_regs_struct& registers) {
  auto result = static_cast<int64_t>(registers.rax);
  if (static_cast<int64_t>(registers.orig_rax) < 0) return;
  // ERESTARTNOINTR; ERESTARTSYS, ERESTARTNOHAND, and ERESTART_RESTARTBLOCK, which keeps the time that is left in the old process.
  bool always = result == -513, unlessHandled = result == -512 || result == -514 || result == -516 || isInterruptedWait(registers);
  if (!always && !unlessHandled) return;
  if (!always && signalWaits(process, thread, result == -512)) {
    registers.rax = static_cast<uint64_t>(-EINTR);
  } else if (countsItsTime(registers) && !shortenWait(registers, thread.waitLeftNs)) {
    registers.rax = 0;
  } else {
    makeAgain(registers);
  }
}

}  // namespace

SignalFrame buildSignalFrame(const Process& process, const Thread& thread) {
  user_regs_struct registers;
  std::memcpy(&registers, thread.registers.data(), sizeof registers);
  resumeSyscall(process, thread, registers);
  size_t xstateBytes = thread.xstate.size();
  uint64_t fpAddress = (registers.rsp - kRedZone - xstateBytes - sizeof kMagic2) & ~63ull;
  // As the kernel aligns it: 8 below a multiple of 16, as after a call instruction.
  uint64_t target = ((fpAddress - sizeof(KernelFrame)) & ~15ull) - 8;

  KernelFrame frame{};
  frame.returnAddress = process.gadgetSigreturn;
  KernelUcontext& ucontext = frame.ucontext;
  ucontext.flags = kUcXstate | kUcSs | kUcStrictSs;
  ucontext.stackPointer = thread.altStack;
  ucontext.stackSize = thread.altStackSize;
  ucontext.stackFlags = thread.altStackFlags & ~SS_ONSTACK;
  ucontext.mask = thread.signalMask;
  KernelSigcontext& context = ucontext.context;
  context.r8 = registers.r8;
  context.r9 = registers.r9;
  context.r10 = registers.r10;
  context.r11 = registers.r11;
  context.r12 = registers.r12;
  context.r13 = registers.r13;
  context.r14 = registers.r14;
  context.r15 = registers.r15;
  context.rdi = registers.rdi;
  context.rsi = registers.rsi;
  context.rbp = registers.rbp;
  context.rbx = registers.rbx;
  context.rdx = registers.rdx;
  context.rax = registers.rax;
  context.rcx = registers.rcx;
  context.rsp = registers.rsp;
  context.rip = registers.rip;
  context.eflags = registers.eflags;
  context.cs = static_cast<uint16_t>(registers.cs);
  context.ss = static_cast<uint16_t>(registers.ss);
  context.fpstate = fpAddress;

  std::string xstate = thread.xstate;
  SoftwareReserved reserved{};
  std::memcpy(&reserved.features, xstate.data() + 464, 8);  // PTRACE_GETREGSET puts the enabled features here
  reserved.magic1 = kMagic1;
  reserved.extendedSize = static_cast<uint32_t>(xstateBytes + sizeof kMagic2);
  reserved.size = static_cast<uint32_t>(xstateBytes);
  std::memcpy(xstate.data() + 464, &reserved, sizeof reserved);

  SignalFrame result;
  result.target = target;
  result.bytes.assign(fpAddress + xstateBytes + sizeof kMagic2 - target, '\0');
  std::memcpy(result.bytes.data(), &frame, sizeof frame);
  std::memcpy(result.bytes.data() + (fpAddress - target), xstate.data(), xstateBytes);
  std::memcpy(result.bytes.data() + (fpAddress - target) + xstateBytes, &kMagic2, sizeof kMagic2);
  return result;
}

std::string buildReturnFrame() {
  static_assert(offsetof(KernelFrame, ucontext.context.rip) == FRAME_RIP && offsetof(KernelFrame, ucontext.context.rsp) == FRAME_RSP);
  static_assert(offsetof(KernelFrame, ucontext.context.rbp) == FRAME_RBP && offsetof(KernelFrame, ucontext.context.r15) == FRAME_R15);
  constexpr uint16_t kUserCode = 0x33, kUserData = 0x2b;
  KernelFrame frame{};
  frame.ucontext.flags = kUcSs | kUcStrictSs;
  frame.ucontext.stackFlags = SS_DISABLE;
  frame.ucontext.mask = ~0ull;
  frame.ucontext.context.cs = kUserCode;
  frame.ucontext.context.ss = kUserData;
  frame.ucontext.context.eflags = 0x202;
  return {reinterpret_cast<const char*>(&frame), sizeof frame};
}

}  // namespace appshot
