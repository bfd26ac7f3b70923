#include "core/snapshot/filter_trial.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "core/sys/error.h"

namespace appshot {

namespace {

struct Machine {
  uint32_t accumulator = 0, index = 0, memory[BPF_MEMWORDS]{};
};

bool calculate(Machine& machine, const sock_filter& op) {
  uint32_t operand = BPF_SRC(op.code) == BPF_X ? machine.index : op.k;
  uint32_t& a = machine.accumulator;
  switch (BPF_OP(op.code)) {
    case BPF_ADD: a += operand; return true;
    case BPF_SUB: a -= operand; return true;
    case BPF_MUL: a *= operand; return true;
    case BPF_DIV: a = operand ? a / operand : 0; return operand != 0;
    case BPF_OR: a |= operand; return true;
    case BPF_AND: a &= operand; return true;
    case BPF_LSH: a = operand < 32 ? a << operand : 0; return true;
    case BPF_RSH: a = operand < 32 ? a >> operand : 0; return true;
    case BPF_NEG: a = -a; return true;
    case BPF_XOR: a ^= operand; return true;
    default: return false;
  }
}

bool jumps(const Machine& machine, const sock_filter& op) {
  uint32_t operand = BPF_SRC(op.code) == BPF_X ? machine.index : op.k;
  switch (BPF_OP(op.code)) {
    case BPF_JEQ: return machine.accumulator == operand;
    case BPF_JGT: return machine.accumulator > operand;
    case BPF_JGE: return machine.accumulator >= operand;
    default: return machine.accumulator & operand;  // BPF_JSET
  }
}

bool load(uint32_t& into, const Machine& machine, const sock_filter& op, const seccomp_data& data) {
  switch (BPF_MODE(op.code)) {
    case BPF_IMM: into = op.k; return true;
    case BPF_LEN: into = sizeof data; return true;
    case BPF_MEM: into = op.k < BPF_MEMWORDS ? machine.memory[op.k] : 0; return op.k < BPF_MEMWORDS;
    case BPF_ABS:
      if (op.k > sizeof data - 4 || op.k % 4) return false;
      std::memcpy(&into, reinterpret_cast<const char*>(&data) + op.k, 4);
      return true;
    default: return false;
  }
}

bool store(Machine& machine, uint32_t slot, uint32_t value) {
  if (slot < BPF_MEMWORDS) machine.memory[slot] = value;
  return slot < BPF_MEMWORDS;
}

// Everything but jumps and returns. False for what the kernel would not have taken.
bool step(Machine& machine, const sock_filter& op, const seccomp_data& data) {
  switch (BPF_CLASS(op.code)) {
    case BPF_LD: return load(machine.accumulator, machine, op, data);
    case BPF_LDX: return load(machine.index, machine, op, data);
    case BPF_ST: return store(machine, op.k, machine.accumulator);
    case BPF_STX: return store(machine, op.k, machine.index);
    case BPF_ALU: return calculate(machine, op);
    case BPF_MISC:
      if (BPF_MISCOP(op.code) == BPF_TAX) machine.index = machine.accumulator;
      else machine.accumulator = machine.index;
      return true;
    default: return false;
  }
}

}  // namespace

uint32_t runFilter(const std::string& program, int number, const std::vector<uint64_t>& arguments) {
  std::vector<sock_filter> ops(program.size() / sizeof(sock_filter));
  if (!ops.empty()) std::memcpy(ops.data(), program.data(), ops.size() * sizeof(sock_filter));
  seccomp_data data{};
  data.nr = number;
  data.arch = AUDIT_ARCH_X86_64;
  for (size_t i = 0; i < arguments.size() && i < 6; i++) data.args[i] = arguments[i];
  Machine machine;
  for (size_t at = 0; at < ops.size(); at++) {
    const sock_filter& op = ops[at];
    if (BPF_CLASS(op.code) == BPF_RET) return BPF_RVAL(op.code) == BPF_A ? machine.accumulator : op.k;
    if (BPF_CLASS(op.code) != BPF_JMP) {
      if (!step(machine, op, data)) break;
    } else if (BPF_OP(op.code) == BPF_JA) {
      at += op.k;
    } else {
      at += jumps(machine, op) ? op.jt : op.jf;
    }
  }
  return SECCOMP_RET_KILL_PROCESS;
}

namespace {

struct Call {
  int number;
  const char* name;
  std::vector<uint64_t> arguments;
};

// Installing the next filter, barriers, the timers of a clone, and leaving.
std::vector<Call> lastCalls(const Process& process, const std::vector<OpenFile>& files) {
  std::vector<Call> calls = {{SYS_seccomp, "seccomp", {SECCOMP_SET_MODE_FILTER}}, {SYS_futex, "futex", {0, FUTEX_WAIT}}, {SYS_futex, "futex", {0, FUTEX_WAKE}},
                             {SYS_munmap, "munmap", {}},                          {SYS_rt_sigreturn, "rt_sigreturn", {}}, {SYS_sched_yield, "sched_yield", {}}};
  auto runs = [](const IntervalTimer& timer) { return timer.valueUs != 0 || timer.intervalUs != 0; };
  if (std::any_of(std::begin(process.timers), std::end(process.timers), runs)) calls.push_back({SYS_setitimer, "setitimer", {}});
  if (!process.posixTimers.empty()) calls.insert(calls.end(), {{SYS_prctl, "prctl", {}}, {SYS_timer_create, "timer_create", {}}, {SYS_timer_settime, "timer_settime", {}}});
  auto isTimer = [&](const Descriptor& descriptor) { return files.at(descriptor.file).kind == static_cast<uint32_t>(FileKind::Timer); };
  if (std::any_of(process.descriptors.begin(), process.descriptors.end(), isTimer))
    calls.insert(calls.end(), {{SYS_timerfd_settime, "timerfd_settime", {}}, {SYS_ioctl, "ioctl", {}}});
  return calls;
}

}  // namespace

void tryFilters(const Process& process, const std::vector<OpenFile>& files) {
  for (const Thread& thread : process.threads)
    for (size_t i = 0; i < thread.ownFilters.size(); i++)
      for (const Call& call : lastCalls(process, files)) {
        bool last = i + 1 == thread.ownFilters.size();
        if (call.number == SYS_seccomp && last) continue;
        uint32_t answer = runFilter(thread.ownFilters[i], call.number, call.arguments) & SECCOMP_RET_ACTION_FULL;
        if (answer == SECCOMP_RET_ALLOW || answer == SECCOMP_RET_LOG) continue;
        throw Error("unsupported-state", "pid " + std::to_string(process.pid) + " (" + thread.comm + ") has a seccomp filter that does not allow " + call.name +
                                             ", which the restorer needs; not supported");
      }
}

}  // namespace appshot
