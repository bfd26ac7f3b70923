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

#include <csignal>
#include <cstring>
#include <sstream>

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

// Finds a `syscall` instruction: in the vdso, or just behind us when a thread waits in the kernel.
uint64_t syscallInstruction(pid_t pid, const std::vector<MapLine>& maps, const Gadgets& gadgets) {
  if (gadgets.syscallReturn) return gadgets.syscallReturn;
  for (const MapLine& line : maps) {
    if (line.path != "[vdso]") continue;
    std::string code(line.end - line.start, '\0');
    readRemote(pid, line.start, code.data(), code.size());
    size_t found = code.find("\x0f\x05");
    if (found != std::string::npos) return line.start + found;
  }
  throw Error("unsupported-state", "process " + std::to_string(virtualPid(pid)) + " has no system call instruction to borrow");
}

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

// A page of memory in the stopped process for results of system calls; unmapped when it goes.
class RemoteScratch {
 public:
  RemoteScratch(Tracee& thread, uint64_t instruction) : thread_(thread), instruction_(instruction) {
    int64_t at = thread.syscall(instruction, SYS_mmap, {0, 4096, 3, 0x22, static_cast<uint64_t>(-1), 0});
    if (at < 0 && at > -4096) throwErrno("map a scratch page in process " + std::to_string(thread.process()), static_cast<int>(-at));
    address_ = static_cast<uint64_t>(at);
  }
  ~RemoteScratch() {
    try {
      thread_.syscall(instruction_, SYS_munmap, {address_, 4096});
    } catch (const Error&) {
      // The process was killed: its memory is gone anyway.
    }
  }
  uint64_t address() const { return address_; }
  template <typename Value>
  Value read() const {
    Value value;
    readRemote(thread_.process(), address_, &value, sizeof value);
    return value;
  }

 private:
  Tracee& thread_;
  uint64_t instruction_;
  uint64_t address_ = 0;
};

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

void collectThread(Tracee& tracee, pid_t vtid, uint64_t instruction, const RemoteScratch& scratch, Thread& thread) {
  std::string who = std::to_string(tracee.tid());
  std::map<std::string, std::string> status = readProcStatus(who);
  ProcStat stat = readProcStat(who);
  thread.tid = vtid;
  thread.comm = stat.comm;
  thread.registers.assign(reinterpret_cast<const char*>(&tracee.registers()), sizeof(user_regs_struct));
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
  if (tracee.syscall(instruction, SYS_sigaltstack, {0, scratch.address()}) == 0) {
    auto stack = scratch.read<stack_t>();
    thread.altStack = reinterpret_cast<uint64_t>(stack.ss_sp);
    thread.altStackSize = stack.ss_size;
    thread.altStackFlags = stack.ss_flags;
  }
  if (tracee.syscall(instruction, SYS_prctl, {kPrGetTidAddress, scratch.address()}) == 0) thread.tidAddress = scratch.read<uint64_t>();
  if (tracee.syscall(instruction, SYS_prctl, {kPrGetPdeathsig, scratch.address()}) == 0) thread.parentDeathSignal = scratch.read<int32_t>();
  int64_t slack = tracee.syscall(instruction, SYS_prctl, {kPrGetTimerslack});
  if (slack > 0) thread.timerSlackNs = static_cast<uint64_t>(slack);
  int64_t bits = tracee.syscall(instruction, SYS_prctl, {kPrGetSecurebits});
  if (bits > 0) thread.credentials.secureBits = static_cast<uint32_t>(bits);
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (::sched_getaffinity(tracee.tid(), sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) < ::sysconf(_SC_NPROCESSORS_ONLN)) {
    auto* words = reinterpret_cast<const uint64_t*>(&cpus);
    thread.affinity.assign(words, words + sizeof cpus / 8);
  }
}

void collectSignalActions(Tracee& leader, uint64_t instruction, const RemoteScratch& scratch, Process& process) {
  std::map<std::string, std::string> status = readProcStatus(std::to_string(leader.process()));
  uint64_t interesting = hex(status["SigCgt"]) | hex(status["SigIgn"]);
  for (uint32_t number = 1; number <= 64; number++) {
    if (!(interesting >> (number - 1) & 1)) continue;
    if (leader.syscall(instruction, SYS_rt_sigaction, {number, 0, scratch.address(), 8}) != 0) continue;
    struct KernelAction { uint64_t handler, flags, restorer, mask; };
    auto action = scratch.read<KernelAction>();
    process.actions.push_back({number, action.handler, action.flags, action.restorer, action.mask});
  }
  process.queued = peekSignals(leader.tid(), true);
}

void collectTimers(Tracee& leader, uint64_t instruction, const RemoteScratch& scratch, Process& process) {
  for (uint64_t which = 0; which < 3; which++) {
    if (leader.syscall(instruction, SYS_getitimer, {which, scratch.address()}) != 0) continue;
    auto timer = scratch.read<itimerval>();
    process.timers[which] = {timer.it_interval.tv_sec * 1'000'000ll + timer.it_interval.tv_usec, timer.it_value.tv_sec * 1'000'000ll + timer.it_value.tv_usec};
  }
  std::istringstream lines(readFileIfThere("/proc/" + std::to_string(leader.process()) + "/timers"));
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
      timer.notify = std::strcmp(how, "signal") == 0 ? 0 : std::strcmp(how, "none") == 0 ? 1 : 2;
      if (line.find("tid.") != std::string::npos) {
        timer.notify |= 4;
        timer.tid = notifyId;
      }
    } else if (std::sscanf(line.c_str(), "ClockID: %d", &clock) == 1) {
      timer.clock = clock;
      if (leader.syscall(instruction, SYS_timer_gettime, {static_cast<uint64_t>(timer.id), scratch.address()}) == 0) {
        auto spec = scratch.read<itimerspec>();
        timer.intervalNs = spec.it_interval.tv_sec * 1'000'000'000ll + spec.it_interval.tv_nsec;
        timer.valueNs = spec.it_value.tv_sec * 1'000'000'000ll + spec.it_value.tv_nsec;
      }
      process.posixTimers.push_back(timer);
    }
  }
}

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

void collectLayout(StoppedProcess& stopped, uint64_t instruction, Process& process) {
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
  layout.brk = static_cast<uint64_t>(stopped.threads.front().syscall(instruction, SYS_brk, {0}));
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
  uint64_t instruction = syscallInstruction(stopped.pid, readMaps(who), preview.gadgets);
  RemoteScratch scratch(leader, instruction);
  for (Tracee& tracee : stopped.threads) {
    Thread thread;
    collectThread(tracee, stopped.virtualIds.at(tracee.tid()), instruction, scratch, thread);
    process.threads.push_back(std::move(thread));
  }
  collectSignalActions(leader, instruction, scratch, process);
  collectTimers(leader, instruction, scratch, process);
  collectLimits(stopped.pid, process);
  collectLayout(stopped, instruction, process);
  process.dumpable = static_cast<int32_t>(leader.syscall(instruction, SYS_prctl, {kPrGetDumpable}));
  if (leader.syscall(instruction, SYS_prctl, {kPrGetChildSubreaper, scratch.address()}) == 0) process.subreaper = scratch.read<int32_t>() != 0;
  process.thpDisabled = leader.syscall(instruction, SYS_prctl, {kPrGetThpDisable}) == 1;
  int64_t registrations = leader.syscall(instruction, SYS_membarrier, {kMembarrierGetRegistrations, 0, 0});
  if (registrations > 0) process.membarrier = static_cast<uint32_t>(registrations);
}

}  // namespace appshot
