#include "core/snapshot/collect_process.h"

#include <elf.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <sstream>

#include "configurator/configurator_page.h"
#include "core/snapshot/remote_batch.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

// uapi/linux/ptrace.h: PTRACE_GET_RSEQ_CONFIGURATION (5.13)
struct RseqConfiguration {
  uint64_t pointer;
  uint32_t size, signature, flags, pad;
};
constexpr auto kGetRseq = static_cast<__ptrace_request>(0x420f);

constexpr int kPrGetTidAddress = 40, kPrGetPdeathsig = 2, kPrGetDumpable = 3, kPrGetChildSubreaper = 37, kPrGetThpDisable = 42, kPrGetTimerslack = 30,
              kPrGetSecurebits = 27;
constexpr int kMembarrierGetRegistrations = 1 << 9;

std::vector<uint32_t> numbers(const std::string& text) {
  std::vector<uint32_t> list;
  std::istringstream in(text);
  for (uint32_t number; in >> number;) list.push_back(number);
  return list;
}

uint64_t hex(const std::string& text) { return std::strtoull(text.c_str(), nullptr, 16); }

Credentials readCredentials(std::map<std::string, std::string>& status) {
  Credentials credentials;
  auto copy4 = [](const std::vector<uint32_t>& from, uint32_t* to) {
    for (size_t i = 0; i < 4 && i < from.size(); i++) to[i] = from[i];
  };
  copy4(numbers(status["Uid"]), credentials.uid);
  copy4(numbers(status["Gid"]), credentials.gid);
  credentials.groups = numbers(status["Groups"]);
  credentials.capInheritable = hex(status["CapInh"]);
  credentials.capPermitted = hex(status["CapPrm"]);
  credentials.capEffective = hex(status["CapEff"]);
  credentials.capBounding = hex(status["CapBnd"]);
  credentials.capAmbient = hex(status["CapAmb"]);
  credentials.noNewPrivs = status["NoNewPrivs"] == "1";
  return credentials;
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

// Without the time that is left, which only the process itself can ask for.
std::vector<PosixTimer> readPosixTimers(pid_t pid) {
  std::vector<PosixTimer> timers;
  std::istringstream lines(readFileIfThere("/proc/" + std::to_string(pid) + "/timers"));
  PosixTimer timer;
  for (std::string line; std::getline(lines, line);) {
    int id = 0, number = 0, clock = 0, notifyId = 0;
    unsigned long value = 0;
    char how[32]{};
    if (std::sscanf(line.c_str(), "ID: %d", &id) == 1) {
      timer = {};
      timer.id = id;
    } else if (std::sscanf(line.c_str(), "signal: %d/%lx", &number, &value) == 2) {
      timer.signal = number;
      timer.sigval = value;
    } else if (std::sscanf(line.c_str(), "notify: %31[a-z]/%*[a-z].%d", how, &notifyId) == 2) {
      timer.notify = std::strcmp(how, "signal") == 0 ? SIGEV_SIGNAL : std::strcmp(how, "none") == 0 ? SIGEV_NONE : SIGEV_THREAD;
      if (line.find("tid.") != std::string::npos) {
        timer.notify |= SIGEV_THREAD_ID;
        timer.tid = notifyId;
      }
    } else if (std::sscanf(line.c_str(), "ClockID: %d", &clock) == 1) {
      timer.clock = clock;
      timers.push_back(timer);
    }
  }
  return timers;
}

// What only the thread itself can ask for; the calls are put into a batch, the answers read out of it.
class ThreadQuestions {
 public:
  explicit ThreadQuestions(RemoteBatch& batch)
      : batch_(batch), altStack_(batch.room(sizeof(stack_t))), tidAddress_(batch.room(8)), deathSignal_(batch.room(4)) {
    stackCall_ = batch.add(SYS_sigaltstack, {0, altStack_.value});
    tidCall_ = batch.add(SYS_prctl, {kPrGetTidAddress, tidAddress_.value});
    deathCall_ = batch.add(SYS_prctl, {kPrGetPdeathsig, deathSignal_.value});
    slackCall_ = batch.add(SYS_prctl, {kPrGetTimerslack});
    bitsCall_ = batch.add(SYS_prctl, {kPrGetSecurebits});
  }

  void answer(Thread& thread) const {
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

 private:
  RemoteBatch& batch_;
  RemoteAddress altStack_, tidAddress_, deathSignal_;
  size_t stackCall_, tidCall_, deathCall_, slackCall_, bitsCall_;
};

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

void collectThread(Tracee& tracee, pid_t vtid, Thread& thread) {
  std::string who = std::to_string(tracee.tid());
  std::map<std::string, std::string> status = readProcStatus(who);
  ProcStat stat = readProcStat(who);
  thread.tid = vtid;
  thread.comm = stat.comm;
  user_regs_struct registers = withRealCall(tracee);
  thread.registers.assign(reinterpret_cast<const char*>(&registers), sizeof registers);
  thread.xstate = tracee.xstate();
  thread.signalMask = tracee.signalMask();
  thread.queued = peekSignals(tracee.tid(), false);
  thread.credentials = readCredentials(status);
  thread.seccompFilters = static_cast<uint32_t>(std::strtoul(status["Seccomp_filters"].c_str(), nullptr, 10));
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

// What is asked once a process, by its leader.
class ProcessQuestions {
 public:
  ProcessQuestions(RemoteBatch& batch, pid_t pid) : batch_(batch) {
    std::map<std::string, std::string> status = readProcStatus(std::to_string(pid));
    uint64_t interesting = hex(status["SigCgt"]) | hex(status["SigIgn"]);
    for (uint32_t number = 1; number <= 64; number++)
      if (interesting >> (number - 1) & 1) {
        RemoteAddress at = batch.room(sizeof(KernelAction));
        actions_.push_back({number, at, batch.add(SYS_rt_sigaction, {number, 0, at.value, 8})});
      }
    for (uint32_t which = 0; which < 3; which++) {
      RemoteAddress at = batch.room(sizeof(itimerval));
      intervals_.push_back({which, at, batch.add(SYS_getitimer, {which, at.value})});
    }
    for (const PosixTimer& timer : readPosixTimers(pid)) {
      RemoteAddress at = batch.room(sizeof(itimerspec));
      timers_.push_back({timer, at, batch.add(SYS_timer_gettime, {static_cast<uint64_t>(timer.id), at.value})});
    }
    brkCall_ = batch.add(SYS_brk, {0});
    dumpableCall_ = batch.add(SYS_prctl, {kPrGetDumpable});
    subreaper_ = batch.room(4);
    subreaperCall_ = batch.add(SYS_prctl, {kPrGetChildSubreaper, subreaper_.value});
    thpCall_ = batch.add(SYS_prctl, {kPrGetThpDisable});
    membarrierCall_ = batch.add(SYS_membarrier, {kMembarrierGetRegistrations, 0, 0});
  }

  void answer(Process& process) const {
    for (const Asked& asked : actions_) {
      if (batch_.result(asked.call) != 0) continue;
      auto action = batch_.read<KernelAction>(asked.at);
      process.actions.push_back({asked.number, action.handler, action.flags, action.restorer, action.mask});
    }
    for (const Asked& asked : intervals_) {
      if (batch_.result(asked.call) != 0) continue;
      auto timer = batch_.read<itimerval>(asked.at);
      process.timers[asked.number] = {timer.it_interval.tv_sec * 1'000'000ll + timer.it_interval.tv_usec, timer.it_value.tv_sec * 1'000'000ll + timer.it_value.tv_usec};
    }
    for (AskedTimer asked : timers_) {
      if (batch_.result(asked.call) == 0) {
        auto spec = batch_.read<itimerspec>(asked.at);
        asked.timer.intervalNs = spec.it_interval.tv_sec * 1'000'000'000ll + spec.it_interval.tv_nsec;
        asked.timer.valueNs = spec.it_value.tv_sec * 1'000'000'000ll + spec.it_value.tv_nsec;
      }
      process.posixTimers.push_back(asked.timer);
    }
    process.layout.brk = static_cast<uint64_t>(batch_.result(brkCall_));
    process.dumpable = static_cast<int32_t>(batch_.result(dumpableCall_));
    if (batch_.result(subreaperCall_) == 0) process.subreaper = batch_.read<int32_t>(subreaper_) != 0;
    process.thpDisabled = batch_.result(thpCall_) == 1;
    if (batch_.result(membarrierCall_) > 0) process.membarrier = static_cast<uint32_t>(batch_.result(membarrierCall_));
  }

 private:
  struct KernelAction { uint64_t handler, flags, restorer, mask; };
  struct Asked { uint32_t number; RemoteAddress at; size_t call; };
  struct AskedTimer { PosixTimer timer; RemoteAddress at; size_t call; };

  RemoteBatch& batch_;
  std::vector<Asked> actions_, intervals_;
  std::vector<AskedTimer> timers_;
  RemoteAddress subreaper_;
  size_t brkCall_, dumpableCall_, subreaperCall_, thpCall_, membarrierCall_;
};

// Limits of another user's process cannot be asked for without CAP_SYS_RESOURCE; /proc shows them.
void collectLimits(pid_t pid, Process& process) {
  static constexpr std::pair<const char*, int> kNames[] = {
      {"Max cpu time", RLIMIT_CPU}, {"Max file size", RLIMIT_FSIZE}, {"Max data size", RLIMIT_DATA}, {"Max stack size", RLIMIT_STACK},
      {"Max core file size", RLIMIT_CORE}, {"Max resident set", RLIMIT_RSS}, {"Max processes", RLIMIT_NPROC}, {"Max open files", RLIMIT_NOFILE},
      {"Max locked memory", RLIMIT_MEMLOCK}, {"Max address space", RLIMIT_AS}, {"Max file locks", RLIMIT_LOCKS},
      {"Max pending signals", RLIMIT_SIGPENDING}, {"Max msgqueue size", RLIMIT_MSGQUEUE}, {"Max nice priority", RLIMIT_NICE},
      {"Max realtime priority", RLIMIT_RTPRIO}, {"Max realtime timeout", RLIMIT_RTTIME}};
  process.limits.assign(RLIM_NLIMITS, {RLIM_INFINITY, RLIM_INFINITY});
  std::istringstream lines(readFile("/proc/" + std::to_string(pid) + "/limits"));
  auto value = [](const std::string& text) { return text == "unlimited" ? RLIM_INFINITY : std::strtoull(text.c_str(), nullptr, 10); };
  for (std::string line; std::getline(lines, line);)
    for (const auto& [name, resource] : kNames)
      if (line.compare(0, std::strlen(name), name) == 0) {
        std::istringstream rest(line.substr(std::strlen(name)));
        std::string soft, hard;
        rest >> soft >> hard;
        process.limits[static_cast<size_t>(resource)] = {value(soft), value(hard)};
      }
}

void collectLayout(const StoppedProcess& stopped, Process& process) {
  std::string directory = "/proc/" + std::to_string(stopped.pid);
  ProcStat stat = readProcStat(std::to_string(stopped.pid));
  MemoryLayout& layout = process.layout;
  layout.startCode = stat.number(26);
  layout.endCode = stat.number(27);
  layout.startStack = stat.number(28);
  layout.startData = stat.number(45);
  layout.endData = stat.number(46);
  layout.startBrk = stat.number(47);
  layout.argStart = stat.number(48);
  layout.argEnd = stat.number(49);
  layout.envStart = stat.number(50);
  layout.envEnd = stat.number(51);
  layout.auxv = readFile(directory + "/auxv");
  layout.exe = readLink(directory + "/exe");
}

}  // namespace

ProcessPreview previewProcess(pid_t pid, const std::vector<MapLine>& maps) {
  return {readVmFlags(std::to_string(pid)), findGadgets(pid, maps)};
}

std::vector<std::string> unsupportedProcessState(pid_t pid, pid_t init) {
  std::vector<std::string> names;
  std::map<std::string, std::string> status = readProcStatus(std::to_string(pid));
  std::string who = "pid " + std::to_string(virtualPid(pid)) + " (" + status["Name"] + ")";
  if (std::strtol(status["TracerPid"].c_str(), nullptr, 10) != 0) names.push_back(who + " is being traced by another process; not supported");
  if (std::strtol(status["Seccomp_filters"].c_str(), nullptr, 10) > 1) names.push_back(who + " has a seccomp filter of its own; not supported");
  if (status["Seccomp"] == "1") names.push_back(who + " is in seccomp strict mode; not supported");
  // The pod's init has the namespaces that the instance was given; an application with others made them itself.
  for (const char* space : {"pid", "pid_for_children", "net", "mnt", "ipc", "uts", "user", "cgroup"})
    if (readLink("/proc/" + std::to_string(pid) + "/ns/" + space) != readLink("/proc/" + std::to_string(init) + "/ns/" + space))
      names.push_back(who + " is in a " + space + " namespace of its own; not supported");
  return names;
}

uint64_t syscallInstruction(pid_t pid, const Gadgets& gadgets) {
  if (gadgets.syscallReturn) return gadgets.syscallReturn;
  for (const MapLine& line : readMaps(std::to_string(pid))) {
    if (line.path != "[vdso]") continue;
    std::string code(line.end - line.start, '\0');
    readRemote(pid, line.start, code.data(), code.size());
    size_t found = code.find("\x0f\x05");
    if (found != std::string::npos) return line.start + found;
  }
  throw Error("unsupported-state", "process " + std::to_string(virtualPid(pid)) + " has no system call instruction to borrow");
}

// The entry of the preloaded configurator, if the program has it.
static uint64_t configuratorEntry(pid_t pid, const std::vector<MapLine>& maps) {
  bool there = std::any_of(maps.begin(), maps.end(), [](const MapLine& line) { return line.start == APPSHOT_CONFIGURATOR_ADDRESS && line.perms[0] == 'r'; });
  if (!there) return 0;
  ConfiguratorPage page{};
  readRemote(pid, APPSHOT_CONFIGURATOR_ADDRESS, &page, sizeof page);
  return page.magic == APPSHOT_CONFIGURATOR_MAGIC ? page.entry : 0;
}

bool waitsInKernel(const user_regs_struct& registers) {
  auto number = static_cast<int64_t>(registers.orig_rax);
  auto result = static_cast<int64_t>(registers.rax);
  bool interrupted = result == -512 || result == -513 || result == -514 || result == -516 || result == -EINTR;
  return number >= 0 && interrupted;
}

void collectProcess(StoppedProcess& stopped, const StoppedTree& tree, const ProcessPreview& preview, Process& process) {
  std::string who = std::to_string(stopped.pid), directory = "/proc/" + who;
  ProcStat stat = readProcStat(who);
  process.pid = stopped.vpid;
  auto toVirtual = [&](uint64_t pid) -> int32_t {
    for (const StoppedProcess& other : const_cast<StoppedTree&>(tree).processes())
      if (other.pid == static_cast<pid_t>(pid)) return other.vpid;
    return -1;
  };
  process.ppid = std::max(1, toVirtual(stat.number(4)));
  std::map<std::string, std::string> status = readProcStatus(who);
  auto innermost = [&](const char* name) {
    std::vector<uint32_t> ids = numbers(status[name]);
    return ids.empty() ? 0 : static_cast<int32_t>(ids.back());
  };
  process.pgid = innermost("NSpgid");
  process.sid = innermost("NSsid");
  process.umask = static_cast<uint32_t>(std::strtoul(status["Umask"].c_str(), nullptr, 8));
  process.cwd = readLink(directory + "/cwd");
  process.root = readLink(directory + "/root");
  process.oomScoreAdj = static_cast<int32_t>(std::strtol(readFileIfThere(directory + "/oom_score_adj").c_str(), nullptr, 10));
  process.gadgetSyscall = preview.gadgets.syscallReturn;
  process.gadgetSigreturn = preview.gadgets.sigreturn;

  Tracee& leader = stopped.threads.front();
  uint64_t instruction = syscallInstruction(stopped.pid, preview.gadgets);
  process.configurator = configuratorEntry(stopped.pid, readMaps(who));
  RemoteScratch scratch(leader, instruction);
  for (Tracee& tracee : stopped.threads) {
    Thread thread;
    pid_t vtid = stopped.virtualIds.at(tracee.tid());
    RemoteBatch batch(scratch);
    ThreadQuestions questions(batch);
    std::optional<ProcessQuestions> forAll;
    if (&tracee == &leader) forAll.emplace(batch, stopped.pid);
    batch.run(tracee, stopped.vpid, vtid);
    collectThread(tracee, vtid, thread);
    questions.answer(thread);
    if (forAll) forAll->answer(process);
    process.threads.push_back(std::move(thread));
  }
  process.queued = peekSignals(leader.tid(), true);
  collectLimits(stopped.pid, process);
  collectLayout(stopped, process);
}

}  // namespace appshot
