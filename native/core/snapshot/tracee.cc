#include "core/snapshot/tracee.h"

#include <elf.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <iterator>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

#include "core/sys/interrupted_call.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr uint64_t kAllSignals = ~0ull;
constexpr long kOptions = PTRACE_O_TRACESYSGOOD;
// While the thread makes calls of ours: one whose tracer dies would run on in the middle of our code, so it had better die too, and be
// woken from its image; and its seccomp filters are not meant for our calls. A tracer that is under a filter itself may not say so.
long optionsForOurs() {
  static const long options = kOptions | PTRACE_O_EXITKILL | (readProcStatus("self")["Seccomp"] == "0" ? PTRACE_O_SUSPEND_SECCOMP : 0);
  return options;
}
constexpr int64_t kRestartNoHandler = -514;  // the kernel's ERESTARTNOHAND: made again unless a handler runs first

// Others stand still meanwhile: a thread that nothing can interrupt is not waited for as long as one that only gets no CPU.
constexpr double kStuckUs = 2e6, kBetweenLooksUs = 5e3, kAgainWithinUs = 10e6;

std::string who(pid_t tid) { return "thread " + std::to_string(tid); }

// How long a thread has waited in the kernel where no signal reaches it, without a break that would have been seen.
class StuckFor {
 public:
  StuckFor(pid_t process, pid_t tid) : task_(std::to_string(process) + "/task/" + std::to_string(tid)) {}

  double us(double nowUs) {
    if (nowUs < nextLookUs_) return sinceUs_ < 0 ? 0 : nowUs - sinceUs_;
    nextLookUs_ = nowUs + kBetweenLooksUs;
    if (readProcStat(task_).state != 'D') sinceUs_ = -1;
    else if (sinceUs_ < 0) sinceUs_ = nowUs;
    return sinceUs_ < 0 ? 0 : nowUs - sinceUs_;
  }

 private:
  std::string task_;
  double nextLookUs_ = 0, sinceUs_ = -1;
};

template <typename... Arguments>
long trace(const char* step, pid_t tid, __ptrace_request request, Arguments... arguments) {
  return sys(std::string(step) + " of " + who(tid), [&] { return ::ptrace(request, tid, arguments...); });
}

// The kernel restarts most calls after a stop, but not these: our stop would show as EINTR. Nor does it tell afterwards what was
// left of a poll's time, should it be asked for once more.
bool isToBeMadeAgain(const user_regs_struct& registers, int64_t waitLeftNs) {
  return isInterruptedWait(registers) || (waitLeftNs >= 0 && registers.orig_rax == SYS_poll && countsItsTime(registers));
}

// A handler is about to run: programs count on EINTR after it. Reading it may fail: the thread was killed meanwhile.
bool signalWaits(pid_t tid, uint64_t mask) {
  try {
    std::map<std::string, std::string> status = readProcStatus(std::to_string(tid));
    uint64_t pending = std::strtoull(status["SigPnd"].c_str(), nullptr, 16) | std::strtoull(status["ShdPnd"].c_str(), nullptr, 16);
    return (pending & ~mask) != 0;
  } catch (const Error&) {
    return true;
  }
}

}  // namespace

Tracee::Tracee(pid_t process, pid_t tid) : process_(process), tid_(tid) {
  trace("attach", tid, PTRACE_SEIZE, nullptr, reinterpret_cast<void*>(kOptions));
  attached_ = true;
  trace("interrupt", tid, PTRACE_INTERRUPT, nullptr, nullptr);
}

Tracee::Tracee(Tracee&& other) noexcept
    : process_(other.process_), tid_(other.tid_), attached_(std::exchange(other.attached_, false)), held_(other.held_),
      touched_(other.touched_), stopSignal_(other.stopSignal_), inFront_(other.inFront_), registers_(other.registers_), signalMask_(other.signalMask_),
      waitLeftNs_(other.waitLeftNs_) {}

Tracee::~Tracee() {
  if (!attached_) return;
  // Failures mean that the thread was killed meanwhile: nothing is left to put back.
  // One that had been stopped before sees what it would have seen without us.
  if (held_ && stopSignal_ == 0 && isToBeMadeAgain(registers_, waitLeftNs_) && !signalWaits(tid_, signalMask_)) {
    shortenWait(registers_, waitLeftNs_);
    makeAgain(registers_);
    touched_ = true;
  }
  user_regs_struct toGoOn = registersToGoOn();
  if (touched_) ::ptrace(PTRACE_SETREGS, tid_, nullptr, &toGoOn);
  if (held_) ::ptrace(PTRACE_SETSIGMASK, tid_, sizeof signalMask_, &signalMask_);
  ::ptrace(PTRACE_DETACH, tid_, nullptr, nullptr);
}

bool Tracee::waitStopped(double deadlineUs) {
  StuckFor stuckFor(process_, tid_);
  for (int spins = 0;; spins++) {
    int status = 0;
    pid_t got = ::waitpid(tid_, &status, __WALL | __WNOTHREAD | WNOHANG);
    if (got < 0 && errno != EINTR) throwErrno("wait for " + who(tid_), errno);
    if (got == tid_) {
      if (!WIFSTOPPED(status)) {
        attached_ = false;
        throw Error("internal", who(tid_) + " ended while it was being stopped");
      }
      if ((status >> 16) == PTRACE_EVENT_STOP) {
        stopSignal_ = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
        return true;
      }
      // A signal or a call came first: let the thread have it and wait on. Any stop takes back the interruption that was still to come, so
      // it is asked for again; not after it was let go, when the first one may just have come, and the second would come upon us later.
      ::ptrace(PTRACE_INTERRUPT, tid_, nullptr, nullptr);
      ::ptrace(PTRACE_CONT, tid_, nullptr, reinterpret_cast<void*>(static_cast<long>(status >> 16 || WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status))));
      continue;
    }
    double nowUs = monotonicUs();
    if (nowUs > deadlineUs) return false;
    if (spins > 2000) {
      if (stuckFor.us(nowUs) > kStuckUs) return false;
      timespec pause{0, 200'000};
      ::nanosleep(&pause, nullptr);
    } else {
      ::sched_yield();
    }
  }
}

void Tracee::hold() {
  trace("read registers", tid_, PTRACE_GETREGS, nullptr, &registers_);
  trace("read signal mask", tid_, PTRACE_GETSIGMASK, sizeof signalMask_, &signalMask_);
  held_ = true;
}

// What servers wait in. A futex is none of them: whoever waits for a lock may hold others.
static bool waitsForEvents(const user_regs_struct& registers) {
  static constexpr long kWaits[] = {SYS_epoll_wait, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_poll,       SYS_ppoll,       SYS_select, SYS_pselect6,       SYS_accept,
                                    SYS_accept4,    SYS_nanosleep,   SYS_clock_nanosleep, SYS_wait4,   SYS_waitid,      SYS_pause,  SYS_rt_sigsuspend, SYS_rt_sigtimedwait};
  return std::find(std::begin(kWaits), std::end(kWaits), static_cast<long>(registers.orig_rax)) != std::end(kWaits);
}

bool Tracee::runToWait(double deadlineUs) {
  held_ = false;
  bool inCall = false;
  for (long signal = 0;;) {
    // One that was killed meanwhile is noticed by whoever waits for it.
    trace("let a thread run to its next wait", tid_, PTRACE_SYSCALL, nullptr, reinterpret_cast<void*>(signal));
    int status = 0;
    pid_t got;
    while ((got = ::waitpid(tid_, &status, __WALL | __WNOTHREAD | WNOHANG)) == 0 && monotonicUs() < deadlineUs) ::sched_yield();
    if (got == 0) return interruptAgain(monotonicUs() + kAgainWithinUs);
    if (got < 0) throwErrno("wait for " + who(tid_), errno);
    if (!WIFSTOPPED(status)) {
      attached_ = false;
      throw Error("internal", who(tid_) + " ended while it was being stopped");
    }
    bool atCall = WSTOPSIG(status) == (SIGTRAP | 0x80);
    signal = atCall || status >> 16 != 0 ? 0 : WSTOPSIG(status);
    if (!atCall || (inCall = !inCall) == false) continue;
    user_regs_struct registers{};
    trace("read registers", tid_, PTRACE_GETREGS, nullptr, &registers);
    if (!waitsForEvents(registers)) continue;
    // Another call is made in its place, and this one when the thread goes on: it stands in front of it as if it had not come there
    // yet. Not none in its place (-1): a seccomp filter may see an x32 call in that, and kill the thread.
    user_regs_struct waiting = registers;
    waiting.rax = static_cast<uint64_t>(kRestartNoHandler);
    registers.orig_rax = SYS_getpid;
    trace("replace a call", tid_, PTRACE_SETREGS, nullptr, &registers);
    trace("replace a call", tid_, PTRACE_SYSCALL, nullptr, nullptr);
    waitForStop();
    hold();
    registers_ = waiting;
    inFront_ = true;
    user_regs_struct inFront = registersToGoOn();
    trace("set registers", tid_, PTRACE_SETREGS, nullptr, &inFront);
    return true;
  }
}

user_regs_struct Tracee::registersToGoOn() const {
  user_regs_struct registers = registers_;
  if (inFront_) makeAgain(registers);
  return registers;
}

bool Tracee::interruptAgain(double deadlineUs) {
  trace("interrupt", tid_, PTRACE_INTERRUPT, nullptr, nullptr);
  if (!waitStopped(deadlineUs)) throw Error("unsupported-state", who(tid_) + " could not be stopped in time; everything runs on");
  hold();
  return false;
}

int Tracee::waitForStop() {
  int status = 0;
  sys("wait for " + who(tid_), [&] { return ::waitpid(tid_, &status, __WALL | __WNOTHREAD); });
  if (!WIFSTOPPED(status)) {
    attached_ = false;
    throw Error("internal", who(tid_) + " ended while it was stopped");
  }
  return status;
}

// Signals stay out until the registers are put back: they would be handled on top of ours.
void Tracee::shutOutSignals() {
  if (touched_) return;
  trace("tie a thread to us", tid_, PTRACE_SETOPTIONS, nullptr, reinterpret_cast<void*>(optionsForOurs()));
  trace("block signals", tid_, PTRACE_SETSIGMASK, sizeof kAllSignals, &kAllSignals);
  touched_ = true;
}

void Tracee::putBack() {
  if (!touched_) return;
  touched_ = false;
  user_regs_struct toGoOn = registersToGoOn();
  ::ptrace(PTRACE_SETREGS, tid_, nullptr, &toGoOn);
  ::ptrace(PTRACE_SETSIGMASK, tid_, sizeof signalMask_, &signalMask_);
  ::ptrace(PTRACE_SETOPTIONS, tid_, nullptr, reinterpret_cast<void*>(kOptions));
}

void Tracee::startUntilStop(uint64_t code, uint64_t r12, uint64_t r13) {
  shutOutSignals();
  user_regs_struct registers = registers_;
  registers.rip = code;
  registers.r12 = r12;
  registers.r13 = r13;
  registers.orig_rax = static_cast<uint64_t>(-1);
  trace("set registers", tid_, PTRACE_SETREGS, nullptr, &registers);
  trace("run code", tid_, PTRACE_CONT, nullptr, nullptr);
}

void Tracee::awaitStop() {
  int status = waitForStop();
  // A process that has been stopped by a signal shows us that once more.
  while (status >> 16 == PTRACE_EVENT_STOP) {
    trace("run code", tid_, PTRACE_CONT, nullptr, nullptr);
    status = waitForStop();
  }
  if (WSTOPSIG(status) != SIGSTOP || (status >> 16) != 0)
    throw Error("internal", who(tid_) + " stopped with signal " + std::to_string(WSTOPSIG(status)) + " while it ran code for the snapshot");
}

int64_t Tracee::syscall(uint64_t instruction, long number, std::initializer_list<uint64_t> arguments) {
  return runSyscall(instruction, number, arguments, nullptr);
}

int64_t Tracee::forkTraced(uint64_t instruction, uint64_t flags, pid_t& child) {
  shutOutSignals();
  trace("follow forks", tid_, PTRACE_SETOPTIONS, nullptr, reinterpret_cast<void*>(optionsForOurs() | PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE));
  int64_t result = runSyscall(instruction, SYS_clone, {flags, 0, 0, 0, 0}, &child);
  trace("follow no forks", tid_, PTRACE_SETOPTIONS, nullptr, reinterpret_cast<void*>(optionsForOurs()));
  return result;
}

int64_t Tracee::runSyscall(uint64_t instruction, long number, std::initializer_list<uint64_t> arguments, pid_t* child) {
  shutOutSignals();
  user_regs_struct registers = registers_;
  uint64_t values[6]{};
  std::copy(arguments.begin(), arguments.end(), values);
  registers.rip = instruction;
  registers.rax = static_cast<uint64_t>(number);
  registers.orig_rax = static_cast<uint64_t>(-1);  // or the kernel would restart the interrupted call
  registers.rdi = values[0];
  registers.rsi = values[1];
  registers.rdx = values[2];
  registers.r10 = values[3];
  registers.r8 = values[4];
  registers.r9 = values[5];
  trace("set registers", tid_, PTRACE_SETREGS, nullptr, &registers);
  // Entry and exit stops rather than a single step: the SIGTRAP of a step would reset a blocked or ignored SIGTRAP action.
  for (int stop = 0; stop < 2;) {
    trace("run a system call", tid_, PTRACE_SYSCALL, nullptr, nullptr);
    int status = waitForStop();
    if (WSTOPSIG(status) == (SIGTRAP | 0x80)) stop++;
    if (child && (status >> 16 == PTRACE_EVENT_FORK || status >> 16 == PTRACE_EVENT_CLONE)) {
      unsigned long pid = 0;
      trace("hear of a child", tid_, PTRACE_GETEVENTMSG, nullptr, &pid);
      *child = static_cast<pid_t>(pid);
    }
  }
  trace("read registers", tid_, PTRACE_GETREGS, nullptr, &registers);
  return static_cast<int64_t>(registers.rax);
}

std::string Tracee::xstate() const {
  std::string area(16384, '\0');
  iovec io{area.data(), area.size()};
  trace("read floating-point state", tid_, PTRACE_GETREGSET, reinterpret_cast<void*>(NT_X86_XSTATE), &io);
  area.resize(io.iov_len);
  return area;
}

void readRemote(pid_t pid, uint64_t address, void* to, size_t bytes) {
  iovec local{to, bytes}, remote{reinterpret_cast<void*>(address), bytes};
  ssize_t n = sys("read memory of process " + std::to_string(pid), [&] { return ::process_vm_readv(pid, &local, 1, &remote, 1, 0); });
  if (static_cast<size_t>(n) != bytes) throw Error("internal", "short read of the memory of process " + std::to_string(pid));
}

}  // namespace appshot
