#include "core/snapshot/collect_thread.h"

#include <linux/filter.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

// uapi/linux/ptrace.h: PTRACE_GET_RSEQ_CONFIGURATION (5.13)
struct RseqConfiguration {
  uint64_t pointer;
  uint32_t size, signature, flags, pad;
};
constexpr auto kGetRseq = static_cast<__ptrace_request>(0x420f), kGetFilter = static_cast<__ptrace_request>(0x420c),
               kGetFilterMetadata = static_cast<__ptrace_request>(0x420d);

constexpr int kPrGetTidAddress = 40, kPrGetPdeathsig = 2, kPrGetTimerslack = 30, kPrGetSecurebits = 27;

uint64_t hex(const std::string& text) { return std::strtoull(text.c_str(), nullptr, 16); }

Credentials readCredentials(std::map<std::string, std::string>& status) {
  Credentials credentials;
  auto copy4 = [](const std::vector<uint32_t>& from, uint32_t* to) {
    for (size_t i = 0; i < 4 && i < from.size(); i++) to[i] = from[i];
  };
  copy4(statusNumbers(status["Uid"]), credentials.uid);
  copy4(statusNumbers(status["Gid"]), credentials.gid);
  credentials.groups = statusNumbers(status["Groups"]);
  credentials.capInheritable = hex(status["CapInh"]);
  credentials.capPermitted = hex(status["CapPrm"]);
  credentials.capEffective = hex(status["CapEff"]);
  credentials.capBounding = hex(status["CapBnd"]);
  credentials.capAmbient = hex(status["CapAmb"]);
  credentials.noNewPrivs = status["NoNewPrivs"] == "1";
  return credentials;
}

// A wait with a time limit that was interrupted before goes on as restart_syscall, which means nothing in another process.
// The number of the call itself mostly stands in the instruction before: mov $number, %eax; syscall.
user_regs_struct withRealCall(const Tracee& tracee) {
  user_regs_struct registers = tracee.registers();
  if (registers.orig_rax != SYS_restart_syscall) return registers;
  struct __attribute__((packed)) { uint8_t move; uint32_t number; uint16_t call; } code{};
  try {
    readRemote(tracee.process(), registers.rip - sizeof code, &code, sizeof code);
  } catch (const Error&) {
    return registers;
  }
  bool restarts = code.number == SYS_poll || code.number == SYS_nanosleep || code.number == SYS_clock_nanosleep || code.number == SYS_futex;
  if (code.move == 0xb8 && code.call == 0x050f && restarts) registers.orig_rax = code.number;
  return registers;
}

// Filters are counted from the one that was installed first: that is the instance's own.
void collectOwnFilters(pid_t tid, Thread& thread) {
  struct { uint64_t filter, flags; } metadata{};
  for (uint32_t index = 1; index < thread.seccompFilters; index++) {
    std::string step = "read seccomp filter " + std::to_string(index) + " of thread " + std::to_string(tid);
    auto length = static_cast<size_t>(sys(step, [&] { return ::ptrace(kGetFilter, tid, index, nullptr); }));
    std::string program(length * sizeof(sock_filter), '\0');
    sys(step, [&] { return ::ptrace(kGetFilter, tid, index, program.data()); });
    metadata.filter = index;
    bool known = ::ptrace(kGetFilterMetadata, tid, sizeof metadata, &metadata) > 0;
    thread.ownFilters.push_back(std::move(program));
    thread.ownFilterFlags.push_back(known ? static_cast<uint32_t>(metadata.flags) : 0);
  }
}

}  // namespace

std::vector<uint32_t> statusNumbers(const std::string& text) {
  std::vector<uint32_t> list;
  std::istringstream in(text);
  for (uint32_t number; in >> number;) list.push_back(number);
  return list;
}

std::vector<QueuedSignal> peekSignals(pid_t tid, bool shared) {
  std::vector<QueuedSignal> queue;
  for (uint64_t at = 0;;) {
    char area[16 * 128];
    __ptrace_peeksiginfo_args args{at, static_cast<uint32_t>(shared ? PTRACE_PEEKSIGINFO_SHARED : 0), 16};
    long n = ::ptrace(PTRACE_PEEKSIGINFO, tid, &args, area);
    if (n <= 0) return queue;
    for (long i = 0; i < n; i++) queue.push_back({std::string(area + i * 128, 128)});
    at += static_cast<uint64_t>(n);
  }
}

ThreadQuestions::ThreadQuestions(RemoteBatch& batch)
    : batch_(batch), altStack_(batch.room(sizeof(stack_t))), tidAddress_(batch.room(8)), deathSignal_(batch.room(4)) {
  stackCall_ = batch.add(SYS_sigaltstack, {0, altStack_.value});
  tidCall_ = batch.add(SYS_prctl, {kPrGetTidAddress, tidAddress_.value});
  deathCall_ = batch.add(SYS_prctl, {kPrGetPdeathsig, deathSignal_.value});
  slackCall_ = batch.add(SYS_prctl, {kPrGetTimerslack});
  bitsCall_ = batch.add(SYS_prctl, {kPrGetSecurebits});
}

void ThreadQuestions::answer(Thread& thread) const {
  if (batch_.result(stackCall_) == 0) {
    auto stack = batch_.read<stack_t>(altStack_);
    thread.altStack = reinterpret_cast<uint64_t>(stack.ss_sp);
    thread.altStackSize = stack.ss_size;
    thread.altStackFlags = stack.ss_flags;
  }
  if (batch_.result(tidCall_) == 0) thread.tidAddress = batch_.read<uint64_t>(tidAddress_);
  if (batch_.result(deathCall_) == 0) thread.parentDeathSignal = batch_.read<int32_t>(deathSignal_);
  if (batch_.result(slackCall_) > 0) thread.timerSlackNs = static_cast<uint64_t>(batch_.result(slackCall_));
  if (batch_.result(bitsCall_) > 0) thread.credentials.secureBits = static_cast<uint32_t>(batch_.result(bitsCall_));
}

void noteWait(Tracee& tracee, const WaitsBegun& waits) {
  auto seen = waits.find(tracee.tid());
  if (seen == waits.end()) return;
  uint64_t switches = std::strtoull(readProcStatus(std::to_string(tracee.tid()))["voluntary_ctxt_switches"].c_str(), nullptr, 10);
  tracee.noteWaitLeft(waitLeftNs(seen->second, tracee.process(), withRealCall(tracee), switches));
}

void collectThread(Tracee& tracee, pid_t vtid, Thread& thread) {
  std::string who = std::to_string(tracee.tid());
  std::map<std::string, std::string> status = readProcStatus(who);
  ProcStat stat = readProcStat(who);
  thread.tid = vtid;
  thread.comm = stat.comm;
  user_regs_struct registers = withRealCall(tracee);
  thread.registers.assign(reinterpret_cast<const char*>(&registers), sizeof registers);
  thread.waitLeftNs = tracee.waitLeftNs();
  thread.xstate = tracee.xstate();
  thread.signalMask = tracee.signalMask();
  thread.queued = peekSignals(tracee.tid(), false);
  thread.credentials = readCredentials(status);
  thread.seccompFilters = static_cast<uint32_t>(std::strtoul(status["Seccomp_filters"].c_str(), nullptr, 10));
  collectOwnFilters(tracee.tid(), thread);
  thread.ioPriority = static_cast<uint32_t>(std::max(0l, ::syscall(SYS_ioprio_get, 1 /* IOPRIO_WHO_PROCESS */, tracee.tid())));
  thread.nice = static_cast<int32_t>(std::strtol(stat.fields.at(19).c_str(), nullptr, 10));
  thread.schedPolicy = static_cast<int32_t>(stat.number(41));
  thread.schedPriority = static_cast<int32_t>(stat.number(40));
  RseqConfiguration rseq{};
  if (::ptrace(kGetRseq, tracee.tid(), sizeof rseq, &rseq) > 0) {
    thread.rseqAddress = rseq.pointer;
    thread.rseqSize = rseq.size;
    thread.rseqSignature = rseq.signature;
    thread.rseqFlags = rseq.flags;
  }
  void* head = nullptr;
  size_t headBytes = 0;
  if (::syscall(SYS_get_robust_list, tracee.tid(), &head, &headBytes) == 0) {
    thread.robustList = reinterpret_cast<uint64_t>(head);
    thread.robustListSize = headBytes;
  }
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (::sched_getaffinity(tracee.tid(), sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) < ::sysconf(_SC_NPROCESSORS_ONLN)) {
    auto* words = reinterpret_cast<const uint64_t*>(&cpus);
    thread.affinity.assign(words, words + sizeof cpus / 8);
  }
}

bool waitsInKernel(const user_regs_struct& registers) {
  auto number = static_cast<int64_t>(registers.orig_rax);
  auto result = static_cast<int64_t>(registers.rax);
  bool interrupted = result == -512 || result == -513 || result == -514 || result == -516 || result == -EINTR;
  return number >= 0 && interrupted;
}

}  // namespace appshot
