#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "core/restore/compile.h"
#include "core/sys/unique_fd.h"

using namespace appshot;

namespace {

struct Stopped {
  Process process;
  Thread thread;
  user_regs_struct registers{};
  Stopped() {
    process.gadgetSigreturn = 0x7000;
    registers.rsp = 0x7ffd00001238;
    registers.rip = 0x401234;
    registers.orig_rax = static_cast<uint64_t>(-1);
    registers.eflags = 0x246;
    registers.cs = 0x33;
    registers.ss = 0x2b;
    thread.signalMask = 0xabcdef;
    thread.altStack = 0x5000;
    thread.altStackSize = 8192;
    thread.xstate.assign(832, '\0');
    uint64_t features = 7;
    std::memcpy(thread.xstate.data() + 464, &features, 8);
  }
  SignalFrame frame() {
    thread.registers.assign(reinterpret_cast<const char*>(&registers), sizeof registers);
    return buildSignalFrame(process, thread);
  }
};

uint64_t wordAt(const SignalFrame& frame, size_t offset) {
  uint64_t word;
  std::memcpy(&word, frame.bytes.data() + offset, 8);
  return word;
}

// Offsets in struct rt_sigframe of x86-64: return address, then ucontext {flags, link, stack, sigcontext, mask}.
constexpr size_t kStackPointer = 24, kStackSize = 40, kContext = 48, kRsp = kContext + 15 * 8, kRip = kContext + 16 * 8, kRax = kContext + 13 * 8,
                 kFpState = kContext + 23 * 8, kMask = kContext + 32 * 8;

}  // namespace

TEST_CASE("a signal frame lies below the red zone, aligned as the kernel does it") {
  Stopped stopped;
  SignalFrame frame = stopped.frame();
  CHECK(frame.target % 16 == 8);
  CHECK(frame.target + frame.bytes.size() <= stopped.registers.rsp - 128);
  CHECK(wordAt(frame, 0) == 0x7000);
  CHECK(wordAt(frame, kStackPointer) == 0x5000);
  CHECK(wordAt(frame, kStackSize) == 8192);
  CHECK(wordAt(frame, kRsp) == stopped.registers.rsp);
  CHECK(wordAt(frame, kRip) == stopped.registers.rip);
  CHECK(wordAt(frame, kMask) == 0xabcdef);
  uint64_t floating = wordAt(frame, kFpState);
  CHECK(floating % 64 == 0);
  size_t offset = floating - frame.target;
  CHECK(static_cast<uint32_t>(wordAt(frame, offset + 464)) == 0x46505853);
  CHECK(wordAt(frame, offset + 464 + 8) == 7);
  CHECK(wordAt(frame, offset + 464 + 16) == 832);
  uint32_t end;
  std::memcpy(&end, frame.bytes.data() + offset + 832, 4);
  CHECK(end == 0x46505845);
}

TEST_CASE("an interrupted system call is taken up again, any other result is kept") {
  Stopped stopped;
  auto after = [&](long number, long result) {
    stopped.registers.orig_rax = static_cast<uint64_t>(number);
    stopped.registers.rax = static_cast<uint64_t>(result);
    SignalFrame frame = stopped.frame();
    return std::pair{static_cast<long>(wordAt(frame, kRax)), wordAt(frame, kRip) == stopped.registers.rip - 2};
  };
  for (long result : {-512, -513, -514, -516}) CHECK(after(SYS_read, result) == std::pair<long, bool>{SYS_read, true});
  CHECK(after(SYS_epoll_wait, -EINTR) == std::pair<long, bool>{SYS_epoll_wait, true});
  CHECK(after(SYS_read, -EINTR) == std::pair<long, bool>{-EINTR, false});
  CHECK(after(SYS_read, 17) == std::pair<long, bool>{17, false});
  CHECK(after(-1, -512) == std::pair<long, bool>{-512, false});
}

TEST_CASE("a wait with a time limit goes on with what was left of it") {
  Stopped stopped;
  constexpr size_t kRdi = kContext + 8 * 8, kRdx = kContext + 12 * 8, kR10 = kContext + 2 * 8;
  auto take = [&](long number, long result) {
    stopped.registers.orig_rax = static_cast<uint64_t>(number);
    stopped.registers.rax = static_cast<uint64_t>(result);
    return stopped.frame();
  };
  stopped.registers.rdx = stopped.registers.r10 = 60'000;
  stopped.thread.waitLeftNs = 1'500'000'001;
  CHECK(wordAt(take(SYS_poll, -516), kRdx) == 1501);
  CHECK(wordAt(take(SYS_epoll_wait, -EINTR), kR10) == 1501);
  stopped.registers.rsi = 0;
  SignalFrame slept = take(SYS_nanosleep, -516);
  CHECK(wordAt(slept, kRax) == SYS_poll);
  CHECK(wordAt(slept, kRdx) == 1501);
  // The kernel has written the rest where the program asked for it.
  stopped.registers.rsi = 0x1000;
  slept = take(SYS_nanosleep, -516);
  CHECK(wordAt(slept, kRax) == SYS_nanosleep);
  CHECK(wordAt(slept, kRdi) == 0x1000);
  // A futex is told that it was woken: callers look at the clock.
  CHECK(wordAt(take(SYS_futex, -516), kRax) == 0);
  stopped.thread.waitLeftNs = -1;
  CHECK(wordAt(take(SYS_epoll_wait, -EINTR), kR10) == 60'000);
}

TEST_CASE("a call is interrupted by a signal that is to be handled") {
  Stopped stopped;
  siginfo_t info{};
  info.si_signo = SIGUSR1;
  stopped.process.queued = {{std::string(reinterpret_cast<const char*>(&info), sizeof info)}};
  stopped.process.actions = {{SIGUSR1, 0x400000, 0, 0, 0}};
  stopped.thread.signalMask = 0;
  stopped.registers.orig_rax = SYS_pause;
  stopped.registers.rax = static_cast<uint64_t>(-514);
  CHECK(static_cast<long>(wordAt(stopped.frame(), kRax)) == -EINTR);
  stopped.thread.signalMask = 1ull << (SIGUSR1 - 1);
  CHECK(wordAt(stopped.frame(), kRax) == SYS_pause);
}

TEST_CASE("a region keeps what is added at the addresses it hands out") {
  Region region(0x100000000000, 3);
  std::string text = "a path";
  uint64_t address = region.add(text), number = region.add("\1\2\3\4\5\6\7\10", 8, 64), room = region.reserve(100);
  CHECK(number % 64 == 0);
  CHECK(room % 16 == 0);
  CHECK(region.stub(2) == region.base() + 2 * APPSHOT_PAGE);
  CHECK(region.unmapStart() == region.base() + 3 * APPSHOT_PAGE);
  UniqueFd fd(region.toMemfd("test"));
  char read[16]{};
  CHECK(::pread(fd.get(), read, 7, static_cast<off_t>(address - region.base())) == 7);
  CHECK(std::string(read) == text);
  CHECK(::lseek(fd.get(), 0, SEEK_END) == static_cast<off_t>(region.size()));
  CHECK(region.step("open") == region.step("open"));
  CHECK(region.step("open") != region.step("close"));
}

TEST_CASE("a tape tells slots from numbers, and ends") {
  Region region(0x100000000000, 1);
  Tape tape(region);
  Slot slot = tape.call("open", SYS_openat, {-100, 5}, true);
  tape.callExact("read", SYS_read, {slot, 6, 7}, 7);
  tape.attempt("close", SYS_close, {slot});
  uint64_t address = tape.finish();
  UniqueFd fd(region.toMemfd("test"));
  Op ops[4];
  REQUIRE(::pread(fd.get(), ops, sizeof ops, static_cast<off_t>(address - region.base())) == sizeof ops);
  CHECK(ops[0].out == slot.number);
  CHECK(ops[0].arg[0] == static_cast<uint64_t>(-100));
  CHECK(ops[0].expect == EXPECT_OK);
  CHECK(ops[1].modes == ARG_SLOT);
  CHECK(ops[1].arg[0] == static_cast<uint64_t>(slot.number));
  CHECK(ops[1].exact == 7);
  CHECK(ops[2].expect == EXPECT_ANY);
  CHECK(ops[3].kind == OP_END);
  CHECK(region.steps().at(ops[1].step) == "read");
}
