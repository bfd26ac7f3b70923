#include <fcntl.h>
#include <linux/membarrier.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "core/restore/compile.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

void setActions(Compiler& compiler, Tape& tape, const Process& process) {
  // The nursery ignores nothing and handles nothing, so only what differs from the default is set.
  for (const SignalAction& action : process.actions) {
    uint64_t kernel[4] = {action.handler, action.flags, action.restorer, action.mask};
    tape.call("set a signal action", SYS_rt_sigaction, {action.number, compiler.region.add(kernel, sizeof kernel), 0, 8});
  }
}

constexpr uint32_t kUsualCoredumpFilter = 0x33;

std::string hex(uint32_t number) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%x", number);
  return text;
}

// New processes inherit it from us.
int32_t ownOomScoreAdj() {
  static const auto own = static_cast<int32_t>(std::strtol(readFileIfThere("/proc/self/oom_score_adj").c_str(), nullptr, 10));
  return own;
}

// To a file of the process's own in /proc. What it may not set stays as it is.
void writeOwn(Compiler& compiler, Tape& tape, const char* name, const std::string& text) {
  std::string path = std::string("/proc/self/") + name;
  Slot file = tape.call("open a setting in /proc", SYS_openat, {AT_FDCWD, compiler.region.add(path), O_WRONLY | O_CLOEXEC, 0}, true);
  tape.attempt("write a setting in /proc", SYS_write, {file, compiler.region.add(text), text.size()});
  tape.call("close a setting in /proc", SYS_close, {file});
}

// A working directory that has no name any more.
void enterNameless(Compiler& compiler, Tape& tape, const Process& process) {
  uint64_t name = compiler.region.add((process.cwd == "/" ? "" : process.cwd) + "/.appshot-nameless-cwd-" + std::to_string(process.pid));
  tape.call("make a nameless directory", SYS_mkdir, {name, 0755});
  tape.call("change directory", SYS_chdir, {name});
  tape.call("take the name of a nameless directory", SYS_rmdir, {name});
}

void registerMembarrier(Tape& tape, uint32_t registrations) {
  static constexpr std::pair<int, int> kPairs[] = {
      {MEMBARRIER_CMD_GLOBAL_EXPEDITED, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED},
      {MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED},
      {MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE},
      {MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ}};
  for (auto [command, registration] : kPairs)
    if (registrations & static_cast<uint32_t>(registration)) tape.attempt("register for membarrier", SYS_membarrier, {registration, 0, 0});
}

void armIntervalTimers(Compiler& compiler, Tape& tape, const Process& process) {
  for (int which = 0; which < 3; which++) {
    const IntervalTimer& timer = process.timers[which];
    // It has expired and its signal waits: the kernel arms it again when that is taken.
    int64_t leftUs = timer.valueUs != 0 ? timer.valueUs : timer.intervalUs;
    if (leftUs == 0) continue;
    int64_t value[4] = {timer.intervalUs / 1'000'000, timer.intervalUs % 1'000'000, leftUs / 1'000'000, leftUs % 1'000'000};
    tape.call("arm an interval timer", SYS_setitimer, {which, compiler.region.add(value, sizeof value), 0});
  }
}

// Once for each open file description, by a process that has it.
void armTimerDescriptors(Compiler& compiler, Tape& tape, const Process& process) {
  for (const Descriptor& descriptor : process.descriptors) {
    const OpenFile& file = compiler.state.files[descriptor.file];
    bool& done = compiler.timerDone[descriptor.file];
    if (static_cast<FileKind>(file.kind) == FileKind::Timer && !done) armTimerDescriptor(compiler.region, tape, file, descriptor.fd);
    done = true;
  }
}

void makePosixTimers(Compiler& compiler, Tape& tape, const Process& process) {
  if (process.posixTimers.empty()) return;
  constexpr int kRestoreIds = 77;  // PR_TIMER_CREATE_RESTORE_IDS (6.15): the id in the argument is the id that is given
  tape.call("ask for timers with their old ids", SYS_prctl, {kRestoreIds, 1, 0, 0, 0});
  for (const PosixTimer& timer : process.posixTimers) {
    struct { uint64_t value; int32_t signal, notify, tid, pad[11]; } event{timer.sigval, timer.signal, timer.notify, timer.tid, {}};
    int64_t spec[4] = {timer.intervalNs / 1'000'000'000, timer.intervalNs % 1'000'000'000, timer.valueNs / 1'000'000'000, timer.valueNs % 1'000'000'000};
    uint64_t id = compiler.region.add(&timer.id, sizeof timer.id);
    tape.call("make a timer", SYS_timer_create, {timer.clock, compiler.region.add(&event, sizeof event), id});
    tape.call("arm a timer", SYS_timer_settime, {timer.id, 0, compiler.region.add(spec, sizeof spec), 0});
  }
  tape.call("stop asking for old timer ids", SYS_prctl, {kRestoreIds, 0, 0, 0, 0});
}

}  // namespace

void armTimerDescriptor(Region& region, Tape& tape, const OpenFile& file, Argument fd) {
  constexpr unsigned long kSetTicks = 0x40085400;  // TFD_IOC_SET_TICKS
  // Expired and not read yet: the kernel arms it again when it is read.
  int64_t leftNs = file.valueNs != 0 ? file.valueNs : file.intervalNs;
  if (leftNs != 0) {
    struct { int64_t interval[2], value[2]; } spec{{file.intervalNs / 1'000'000'000, file.intervalNs % 1'000'000'000}, {leftNs / 1'000'000'000, leftNs % 1'000'000'000}};
    tape.call("arm a timerfd", SYS_timerfd_settime, {fd, 0, region.add(&spec, sizeof spec), 0});
  }
  if (file.count) tape.attempt("set the ticks of a timerfd", SYS_ioctl, {fd, kSetTicks, region.add(&file.count, 8)});
}

void compileProcessState(Compiler& compiler, Tape& tape, const Process& process) {
  setActions(compiler, tape, process);
  tape.call("set the umask", SYS_umask, {process.umask});
  if (process.cwdDeleted) enterNameless(compiler, tape, process);
  else tape.call("change directory", SYS_chdir, {compiler.region.add(process.cwd)});
  if (process.subreaper) tape.call("become a subreaper", SYS_prctl, {PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0});
  if (process.thpDisabled) tape.call("disable huge pages", SYS_prctl, {PR_SET_THP_DISABLE, 1, 0, 0, 0});
  if (process.personality) tape.call("set the personality", SYS_personality, {process.personality});
  if (process.coredumpFilter != kUsualCoredumpFilter) writeOwn(compiler, tape, "coredump_filter", hex(process.coredumpFilter));
  if (process.oomScoreAdj != ownOomScoreAdj()) writeOwn(compiler, tape, "oom_score_adj", std::to_string(process.oomScoreAdj));
  registerMembarrier(tape, process.membarrier);
}

void compileLimits(Compiler& compiler, Tape& tape, const Process& process) {
  for (size_t resource = 0; resource < process.limits.size(); resource++) {
    uint64_t limit[2] = {process.limits[resource].first, process.limits[resource].second};
    // A hard limit above ours needs CAP_SYS_RESOURCE; where it is missing, ours stays.
    tape.attempt("set a limit", SYS_prlimit64, {0, resource, compiler.region.add(limit, sizeof limit), 0});
  }
}

void compileTimers(Compiler& compiler, Tape& tape, const Process& process) {
  armIntervalTimers(compiler, tape, process);
  if (compiler.purpose == Purpose::Zygote) armTimerDescriptors(compiler, tape, process);
  makePosixTimers(compiler, tape, process);
}

}  // namespace appshot
