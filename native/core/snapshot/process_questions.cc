#include "core/snapshot/process_questions.h"

#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sstream>
#include <string>

#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr int kPrGetDumpable = 3, kPrGetChildSubreaper = 37, kPrGetThpDisable = 42, kPrGetMdwe = 66;
constexpr int kMembarrierGetRegistrations = 1 << 9;

uint64_t hex(const std::string& text) { return std::strtoull(text.c_str(), nullptr, 16); }

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

}  // namespace

ProcessQuestions::ProcessQuestions(RemoteBatch& batch, pid_t pid) : batch_(batch) {
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
  denialsCall_ = batch.add(SYS_prctl, {kPrGetMdwe, 0, 0, 0, 0});
  membarrierCall_ = batch.add(SYS_membarrier, {kMembarrierGetRegistrations, 0, 0});
}

void ProcessQuestions::answer(Process& process) const {
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
  if (batch_.result(denialsCall_) > 0) process.memoryDenials = static_cast<uint32_t>(batch_.result(denialsCall_));
  if (batch_.result(membarrierCall_) > 0) process.membarrier = static_cast<uint32_t>(batch_.result(membarrierCall_));
}

}  // namespace appshot
