#include "core/snapshot/check_sharing.h"

#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <list>

#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

struct Sharable {
  int kind;
  const char* name;
};
constexpr Sharable kProcessWide[] = {{KCMP_VM, "memory"}, {KCMP_FILES, "table of descriptors"}, {KCMP_FS, "working directory and umask"}};

// 0 the same, 1 less, 2 greater, in an order of the kernel's own; -1 where one is gone.
long compare(pid_t a, pid_t b, int kind) { return ::syscall(SYS_kcmp, a, b, kind, 0, 0); }

// Between vfork() and exec() a child has its parent's memory, and the parent waits so that nothing can stop it: the stop will say so.
bool waitsUninterruptibly(pid_t pid) {
  std::vector<std::string> tasks = listDirectory("/proc/" + std::to_string(pid) + "/task");
  return std::any_of(tasks.begin(), tasks.end(), [&](const std::string& task) { return readProcStat(std::to_string(pid) + "/task/" + task).state == 'D'; });
}

void checkThreads(pid_t pid, std::vector<std::string>& names) {
  for (const std::string& task : listDirectory("/proc/" + std::to_string(pid) + "/task")) {
    pid_t tid = std::atoi(task.c_str());
    if (tid == pid) continue;
    for (const Sharable& what : kProcessWide)
      if (what.kind != KCMP_VM && compare(pid, tid, what.kind) > 0)
        names.push_back(processName(pid) + " has a thread with a " + what.name + " of its own; not supported");
  }
}

}  // namespace

std::vector<std::string> unsupportedSharing(const std::vector<pid_t>& pids) {
  std::vector<std::string> names;
  for (pid_t pid : pids) checkThreads(pid, names);
  if (pids.size() < 2) return names;
  for (const Sharable& what : kProcessWide) {
    // Those that share stand side by side in the kernel's order.
    std::list<pid_t> sorted(pids.begin(), pids.end());  // whose sort bears answers that change meanwhile
    sorted.sort([&](pid_t a, pid_t b) { return compare(a, b, what.kind) == 1; });
    for (auto at = std::next(sorted.begin()); at != sorted.end(); ++at)
      if (compare(*std::prev(at), *at, what.kind) == 0 && !waitsUninterruptibly(*at) && !waitsUninterruptibly(*std::prev(at)))
        names.push_back(processName(*at) + " shares its " + what.name + " with " + processName(*std::prev(at)) + "; not supported");
  }
  return names;
}

}  // namespace appshot
