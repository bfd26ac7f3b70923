#include "core/snapshot/memory_twin.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>

#include "core/snapshot/remote_batch.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

// Neighbours joined: one call for many ranges.
std::vector<std::pair<uint64_t, uint64_t>> dontForkRanges(const std::vector<Vma>& vmas) {
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (const Vma& vma : vmas) {
    if (!(vma.advice & kAdviceDontFork)) continue;
    if (!ranges.empty() && ranges.back().second == vma.start) ranges.back().second = vma.end;
    else ranges.emplace_back(vma.start, vma.end);
  }
  return ranges;
}

void adviseAll(StoppedProcess& stopped, RemoteScratch& scratch, const std::vector<std::pair<uint64_t, uint64_t>>& ranges, uint64_t advice) {
  Tracee& leader = stopped.threads.front();
  for (size_t at = 0; at < ranges.size();) {
    RemoteBatch batch(scratch);
    for (size_t end = std::min(ranges.size(), at + RemoteBatch::kMaxCalls); at < end; at++)
      batch.add(SYS_madvise, {ranges[at].first, ranges[at].second - ranges[at].first, advice});
    batch.run(leader, stopped.vpid, stopped.vpid);
  }
}

}  // namespace

MemoryTwin::MemoryTwin(StoppedProcess& stopped, uint64_t instruction, const std::vector<Vma>& vmas) {
  Tracee& leader = stopped.threads.front();
  std::vector<std::pair<uint64_t, uint64_t>> ranges = dontForkRanges(vmas);
  RemoteScratch scratch(leader, instruction);
  adviseAll(stopped, scratch, ranges, MADV_DOFORK);
  int64_t made = leader.forkTraced(instruction, CLONE_PARENT, pid_);
  adviseAll(stopped, scratch, ranges, MADV_DONTFORK);
  if (made < 0) throwErrno("fork a twin of process " + std::to_string(stopped.vpid), static_cast<int>(-made));
  int status = 0;
  // Its first stop: it was born under our eyes.
  sys("wait for a twin", [&] { return ::waitpid(pid_, &status, __WALL | __WNOTHREAD); });
}

MemoryTwin::~MemoryTwin() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, __WALL | __WNOTHREAD) == pid_ && WIFSTOPPED(status)) {
  }
}

}  // namespace appshot
