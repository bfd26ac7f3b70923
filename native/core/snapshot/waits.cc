#include "core/snapshot/waits.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "core/snapshot/tracee.h"
#include "core/sys/interrupted_call.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

int64_t nowNs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000ll + now.tv_nsec;
}

// Whether a line of /proc/PID/task/TID/syscall ("running", or the number of the call and its arguments) is of a call whose limit is a
// length of time that the kernel counts for itself. select, pselect and ppoll write what is left back into the program's own memory, and
// the deadlines of the other futex operations are points in time.
bool hasTimeLimit(const std::string& line) {
  long number = -1;
  unsigned long arguments[4]{};
  if (std::sscanf(line.c_str(), "%ld 0x%lx 0x%lx 0x%lx 0x%lx", &number, &arguments[0], &arguments[1], &arguments[2], &arguments[3]) < 5) return false;
  auto isFinite = [](unsigned long milliseconds) { return static_cast<int32_t>(milliseconds) >= 0; };
  switch (number) {
    case SYS_poll: return isFinite(arguments[2]);
    case SYS_epoll_wait:
    case SYS_epoll_pwait: return isFinite(arguments[3]);
    case SYS_futex: return (arguments[1] & FUTEX_CMD_MASK) == FUTEX_WAIT && arguments[3] != 0;
    case SYS_nanosleep:
    case SYS_clock_nanosleep:
    case SYS_restart_syscall: return true;
    default: return false;
  }
}

// When the thread last left its CPU, on the scheduler's clock; -1 where the kernel does not tell.
int64_t leftCpuNs(const std::string& directory) {
  std::string text = readFileIfThere(directory + "/sched");
  size_t line = text.find("se.exec_start"), colon = line == std::string::npos ? line : text.find(':', line);
  return colon == std::string::npos ? -1 : static_cast<int64_t>(std::strtod(text.c_str() + colon + 1, nullptr) * 1e6);
}

// What the scheduler's clock of a CPU is behind the monotonic one: it leaves out what interrupts and the host take, so each CPU has a
// clock of its own. The calling thread goes there and looks at its own time stamps, which are from its last turn.
class SchedulerClocks {
 public:
  SchedulerClocks() { mayMove_ = ::sched_getaffinity(0, sizeof before_, &before_) == 0; }
  ~SchedulerClocks() {
    if (mayMove_) ::sched_setaffinity(0, sizeof before_, &before_);
  }
  SchedulerClocks(const SchedulerClocks&) = delete;
  SchedulerClocks& operator=(const SchedulerClocks&) = delete;

  // -1 where it cannot be known.
  int64_t lagNs(int cpu) {
    auto [at, isNew] = lags_.try_emplace(cpu, -1);
    cpu_set_t there;
    CPU_ZERO(&there);
    CPU_SET(static_cast<size_t>(cpu), &there);
    if (!isNew || !mayMove_ || ::sched_setaffinity(0, sizeof there, &there) != 0) return at->second;
    for (int look = 0; look < 3; look++) {
      ::sched_yield();
      int64_t left = leftCpuNs("/proc/thread-self");
      if (left < 0) return at->second;
      int64_t lag = nowNs() - left;
      at->second = at->second < 0 ? lag : std::min(at->second, lag);
    }
    return at->second;
  }

 private:
  cpu_set_t before_{};
  bool mayMove_ = false;
  std::map<int, int64_t> lags_;
};

int64_t inNs(const timespec& time) { return time.tv_sec * 1'000'000'000ll + time.tv_nsec; }

std::optional<timespec> timeAt(pid_t process, uint64_t address) {
  timespec time{};
  if (address == 0) return std::nullopt;
  try {
    readRemote(process, address, &time, sizeof time);
  } catch (const Error&) {
    return std::nullopt;
  }
  return time;
}

// The whole limit of a call; -1 where it has none.
int64_t wholeNs(pid_t process, const user_regs_struct& registers) {
  auto milliseconds = [](uint64_t value) { return static_cast<int32_t>(value) < 0 ? -1 : static_cast<int32_t>(value) * 1'000'000ll; };
  uint64_t address = 0;
  switch (registers.orig_rax) {
    case SYS_poll: return milliseconds(registers.rdx);
    case SYS_epoll_wait:
    case SYS_epoll_pwait: return milliseconds(registers.r10);
    case SYS_nanosleep: address = registers.rdi; break;
    case SYS_clock_nanosleep: address = registers.rsi & TIMER_ABSTIME ? 0 : registers.rdx; break;
    case SYS_futex: address = (registers.rsi & FUTEX_CMD_MASK) == FUTEX_WAIT ? registers.r10 : 0; break;
    default: return -1;
  }
  auto time = timeAt(process, address);
  return time ? inNs(*time) : -1;
}

std::optional<WaitBegun> previewWait(const std::string& task, SchedulerClocks& clocks) {
  if (!hasTimeLimit(readFileIfThere("/proc/" + task + "/syscall"))) return std::nullopt;
  std::map<std::string, std::string> status = readProcStatus(task);
  ProcStat stat = readProcStat(task);
  // It left the CPU when it was stopped, not when its wait began.
  if (stat.state == 'T') return std::nullopt;
  int64_t left = leftCpuNs("/proc/" + task), lag = clocks.lagNs(static_cast<int>(stat.number(39)));
  if (lag < 0 || left < 0) return std::nullopt;
  return WaitBegun{left + lag, std::strtoull(status["voluntary_ctxt_switches"].c_str(), nullptr, 10)};
}

}  // namespace

WaitsBegun previewWaits(pid_t pid) {
  WaitsBegun begun;
  SchedulerClocks clocks;
  for (const std::string& name : listDirectory("/proc/" + std::to_string(pid) + "/task")) {
    try {
      if (auto wait = previewWait(std::to_string(pid) + "/task/" + name, clocks)) begun[std::atoi(name.c_str())] = *wait;
    } catch (const Error& error) {
      if (error.err() != ENOENT && error.err() != ESRCH) throw;  // the thread has ended
    }
  }
  return begun;
}

int64_t waitLeftNs(const WaitBegun& begun, pid_t process, const user_regs_struct& registers, uint64_t switches) {
  if (!countsItsTime(registers)) return -1;
  int64_t whole = wholeNs(process, registers);
  // One more than then: it has left the CPU to be stopped, and for nothing else.
  if (whole < 0 || switches != begun.switches + 1) return -1;
  return std::clamp(whole - (nowNs() - begun.sinceNs), int64_t{0}, whole);
}

}  // namespace appshot
