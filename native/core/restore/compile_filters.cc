// Seccomp filters. They come last: nothing of the restorer may be stopped by one of the program's own (see snapshot/filter_trial.h).
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <algorithm>

#include "core/launch/seccomp_filter.h"
#include "core/restore/compile.h"

namespace appshot {

namespace {

void install(Compiler& compiler, Tape& tape, uint64_t instructions, size_t count, uint32_t flags) {
  struct { uint16_t length; uint64_t program; } program{static_cast<uint16_t>(count), instructions};
  tape.call("install a seccomp filter", SYS_seccomp, {SECCOMP_SET_MODE_FILTER, flags, compiler.region.add(&program, sizeof program)});
}

bool allAlike(const Process& process) {
  const Thread& leader = process.threads.front();
  return std::all_of(process.threads.begin(), process.threads.end(), [&](const Thread& thread) {
    return thread.seccompFilters == leader.seccompFilters && thread.ownFilters == leader.ownFilters && thread.ownFilterFlags == leader.ownFilterFlags;
  });
}

bool hasOwnFilters(const State& state) {
  return std::any_of(state.processes.begin(), state.processes.end(), [](const Process& process) {
    return std::any_of(process.threads.begin(), process.threads.end(), [](const Thread& thread) { return !thread.ownFilters.empty(); });
  });
}

}  // namespace

void compileFilters(Compiler& compiler, Tape& tape, const Process& process, const Thread& thread) {
  // Filters that come over a thread by way of another must not meet it in the middle of its tape. (In a process that stands
  // still, the others are at a gate by now.)
  if (hasOwnFilters(compiler.state) && process.stopSignal == 0) tape.op(OP_BARRIER, "wait before the filters", {5, compiler.tasks, 0});
  if (thread.seccompFilters == 0) return;
  // Threads that have all the same get them from the first, in one go: then they can later be given others in the same way.
  bool alike = allAlike(process), leads = &thread == &process.threads.front();
  if (alike && !leads) return;
  uint32_t together = alike ? SECCOMP_FILTER_FLAG_TSYNC : 0;
  const std::vector<sock_filter>& filter = instanceFilter(compiler.state.asyncIo);
  install(compiler, tape, compiler.region.addTable(filter), filter.size(), together);
  for (size_t i = 0; i < thread.ownFilters.size(); i++) {
    const std::string& own = thread.ownFilters[i];
    install(compiler, tape, compiler.region.add(own.data(), own.size(), 8), own.size() / sizeof(sock_filter), together | thread.ownFilterFlags[i]);
  }
}

}  // namespace appshot
