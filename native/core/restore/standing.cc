#include "core/restore/standing.h"

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <future>
#include <map>

#include "core/restore/compile.h"
#include "core/restore/nursery.h"
#include "core/snapshot/stopped_tree.h"
#include "core/sys/failpoint.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr double kWithinUs = 30e6;
constexpr uint64_t kAllSignals = ~0ull;
constexpr int kSystemCall = SIGTRAP | 0x80;

uint64_t maskOf(int signal) { return 1ull << (signal - 1); }

// One thread on its way out of the restorer. What is not finished is let go by the destructor; who stands stays so.
class LeavingThread {
 public:
  LeavingThread(pid_t process, pid_t tid, const Process& program, const Thread& saved)
      : process_(process), tid_(tid), saved_(&saved), frame_(buildSignalFrame(program, saved).target) {
    // It would run on without us, so it had better end with us.
    trace("attach", PTRACE_SEIZE, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    attached_ = true;
    trace("interrupt", PTRACE_INTERRUPT, 0);
  }
  LeavingThread(LeavingThread&& other) noexcept
      : process_(other.process_), tid_(other.tid_), saved_(other.saved_), frame_(other.frame_), attached_(std::exchange(other.attached_, false)), returning_(other.returning_) {}
  LeavingThread& operator=(LeavingThread&&) = delete;
  ~LeavingThread() {
    if (attached_) ::ptrace(PTRACE_DETACH, tid_, nullptr, nullptr);
  }

  // The next stop; false where there was none yet.
  bool look(int& status) {
    pid_t got = ::waitpid(tid_, &status, __WALL | __WNOTHREAD | WNOHANG);
    if (got < 0 && errno != EINTR) throwErrno("wait for " + who(), errno);
    if (got != tid_) return false;
    if (WIFSTOPPED(status)) return true;
    attached_ = false;
    throw Error("internal", who() + " ended before it was stopped again");
  }

  void goToNextCall(long signal = 0) { trace("run", PTRACE_SYSCALL, signal); }
  void go(long signal = 0) { trace("run", PTRACE_CONT, signal); }

  // After a stop: whether it has the program's registers. Else it runs on.
  bool hasReturned(int status) {
    bool atCall = WSTOPSIG(status) == kSystemCall;
    if (atCall && returning_) return true;
    if (atCall) {
      user_regs_struct registers{};
      sys("read registers of " + who(), [&] { return ::ptrace(PTRACE_GETREGS, tid_, nullptr, &registers); });
      // The configurator returns in this way, too, but from another place.
      returning_ = registers.orig_rax == SYS_rt_sigreturn && registers.rsp == frame_ + sizeof(uint64_t);
    }
    goToNextCall(atCall || status >> 16 != 0 ? 0 : WSTOPSIG(status));
    return false;
  }

  void keepSignalsOut(uint64_t but) {
    sys("read the signal mask of " + who(), [&] { return ::ptrace(PTRACE_GETSIGMASK, tid_, sizeof mask_, &mask_); });
    uint64_t others = kAllSignals & ~but;
    sys("block signals of " + who(), [&] { return ::ptrace(PTRACE_SETSIGMASK, tid_, sizeof others, &others); });
  }

  void sendStop() {
    sys("stop " + who(), [&] { return static_cast<int>(::syscall(SYS_tgkill, process_, tid_, SIGSTOP)); });
  }

  // It stands: its process is stopped, and stays so without us.
  void leave() {
    standInCall();
    sys("set the signal mask of " + who(), [&] { return ::ptrace(PTRACE_SETSIGMASK, tid_, sizeof mask_, &mask_); });
    trace("let go", PTRACE_DETACH, 0);
    attached_ = false;
  }

  std::string who() const { return "thread " + std::to_string(tid_); }

 private:
  // Where it was stopped in a system call, it is again: when it is continued, the kernel sees to what becomes of that. Not of a call
  // of which the kernel had kept what is left of its time: that is made again.
  void standInCall() {
    user_regs_struct saved{}, registers{};
    std::memcpy(&saved, saved_->registers.data(), sizeof saved);
    auto result = static_cast<int64_t>(saved.rax);
    bool inCall = static_cast<int64_t>(saved.orig_rax) >= 0 && (result == -EINTR || (result <= -512 && result >= -514));
    if (!inCall) return;
    sys("read registers of " + who(), [&] { return ::ptrace(PTRACE_GETREGS, tid_, nullptr, &registers); });
    registers.rax = saved.rax;
    registers.rip = saved.rip;
    registers.orig_rax = saved.orig_rax;
    sys("set registers of " + who(), [&] { return ::ptrace(PTRACE_SETREGS, tid_, nullptr, &registers); });
  }

  void trace(const char* step, __ptrace_request request, long argument) {
    sys(std::string(step) + " " + who(), [&] { return ::ptrace(request, tid_, nullptr, reinterpret_cast<void*>(argument)); });
  }

  pid_t process_, tid_;
  const Thread* saved_;
  uint64_t frame_;        // where the program's registers are, on its own stack
  bool attached_ = false;
  bool returning_ = false;
  uint64_t mask_ = 0;
};

class LeavingProcess {
 public:
  LeavingProcess(const Process& process, pid_t pid, const StatusPage& status, double deadlineUs) : status_(&status), deadlineUs_(deadlineUs) {
    std::map<pid_t, pid_t> ids;
    for (const std::string& name : listDirectory("/proc/" + std::to_string(pid) + "/task")) ids[virtualPid(std::atoi(name.c_str()))] = std::atoi(name.c_str());
    for (const Thread& thread : process.threads) threads_.emplace_back(pid, ids.at(thread.tid), process, thread);
    for (LeavingThread& thread : threads_) await(thread, [](int status) { return status >> 16 == PTRACE_EVENT_STOP; });
  }

  // The gate is open: all run until they have left.
  void runToProgram() {
    for (LeavingThread& thread : threads_) thread.goToNextCall();
    std::vector<LeavingThread*> left;
    for (LeavingThread& thread : threads_) left.push_back(&thread);
    while (!left.empty()) {
      std::erase_if(left, [](LeavingThread* thread) {
        int status = 0;
        return thread->look(status) && thread->hasReturned(status);
      });
      pause();
    }
  }

  // No other signal may come first: some may wait that end the program, once it is continued.
  void stop(int signal) {
    LeavingThread& first = threads_.front();
    for (LeavingThread& thread : threads_) thread.keepSignalsOut(&thread == &first ? maskOf(signal) : 0);
    first.sendStop();
    first.go();
    await(first, [](int status) { return status >> 16 == 0 && WSTOPSIG(status) == SIGSTOP; });
    first.goToNextCall(signal);
    auto stands = [signal](int status) { return status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) == signal; };
    await(first, stands);
    for (LeavingThread& thread : threads_)
      if (&thread != &first) {
        thread.go();
        await(thread, stands);
      }
    for (LeavingThread& thread : threads_) thread.leave();
  }

 private:
  void pause() const {
    if (status_->hasFailed()) throw Error("internal", "something failed before " + threads_.front().who() + " was stopped again");
    if (monotonicUs() > deadlineUs_) throw Error("timeout", threads_.front().who() + " could not be stopped again in time");
    ::sched_yield();
  }

  // Waits for a stop of this kind; what the kernel still had to say of earlier ones is passed over.
  template <typename IsIt>
  void await(LeavingThread& thread, IsIt isIt) {
    for (;;) {
      int status = 0;
      if (!thread.look(status)) {
        pause();
      } else if (isIt(status)) {
        return;
      } else if (status >> 16 == PTRACE_EVENT_STOP) {
        thread.go();
      } else {
        throw Error("internal", thread.who() + " stopped with signal " + std::to_string(WSTOPSIG(status)) + " while it was to be stopped again");
      }
    }
  }

  const StatusPage* status_;
  double deadlineUs_;
  std::vector<LeavingThread> threads_;
};

// Whether SIGTSTP and the like stop nobody in this group: no member has a parent in the same session and another group.
bool isOrphaned(const State& state, int32_t group) {
  return std::none_of(state.processes.begin(), state.processes.end(), [&](const Process& member) {
    if (member.zombie || member.pgid != group) return false;
    return std::any_of(state.processes.begin(), state.processes.end(), [&](const Process& parent) {
      return parent.pid == member.ppid && parent.sid == member.sid && parent.pgid != group;
    });
  });
}

// What the parent will be told. Where the signal itself would not stop it any more, as it did then, it is SIGSTOP.
int signalFor(const State& state, const Process& process) {
  bool isUsual = std::none_of(process.actions.begin(), process.actions.end(), [&](const SignalAction& action) {
    return action.number == static_cast<uint32_t>(process.stopSignal) && action.handler != 0 /* SIG_DFL */;
  });
  return process.stopSignal == SIGSTOP || (isUsual && !isOrphaned(state, process.pgid)) ? process.stopSignal : SIGSTOP;
}

void bringAllToStand(const State& state, const Pod& pod, StatusPage& status) {
  double deadlineUs = monotonicUs() + kWithinUs;
  std::map<pid_t, pid_t> pids;
  for (pid_t pid : podProcesses(pod)) pids[virtualPid(pid)] = pid;
  std::vector<std::pair<const Process*, LeavingProcess>> leaving;
  for (auto process = state.processes.rbegin(); process != state.processes.rend(); ++process)
    if (process->stopSignal != 0) leaving.emplace_back(&*process, LeavingProcess(*process, pids.at(process->pid), status, deadlineUs));
  status.open(GATE_STAND);
  for (auto& [process, threads] : leaving) {
    threads.runToProgram();
    threads.stop(signalFor(state, *process));
  }
  failpoint("stand");
}

}  // namespace

bool anyStands(const State& state) {
  return std::any_of(state.processes.begin(), state.processes.end(), [](const Process& process) { return process.stopSignal != 0; });
}

bool hasStandingChild(const State& state, const Process& parent) {
  return std::any_of(state.processes.begin(), state.processes.end(), [&](const Process& process) { return process.stopSignal != 0 && process.ppid == parent.pid; });
}

void bringToStand(const State& state, const Pod& pod, StatusPage& status) {
  // A thread of its own, whose end lets go of all that it traced, whatever happened.
  auto work = std::async(std::launch::async, [&, operation = FailScope::current()] {
    FailScope scope(operation);
    bringAllToStand(state, pod, status);
  });
  try {
    work.get();
  } catch (const Error&) {
    if (status.hasFailed()) return;
    throw;
  }
  status.open(GATE_STOOD);
  bool anyRuns = std::any_of(state.processes.begin(), state.processes.end(), [](const Process& process) { return !process.zombie && process.stopSignal == 0; });
  if (anyRuns) status.openGate();
  else status.sayRuns();
}

}  // namespace appshot
