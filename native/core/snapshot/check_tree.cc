#include "core/snapshot/check_tree.h"

#include <map>

#include "core/sys/error.h"

namespace appshot {

void checkTree(const State& state) {
  std::map<int32_t, const Process*> alive;
  const Process* root = nullptr;
  for (const Process& process : state.processes) {
    if (process.zombie) continue;
    alive[process.pid] = &process;
    if (!root && process.ppid == 1) root = &process;
  }
  auto refuse = [](const Process& process, const char* what) {
    throw Error("unsupported-state", "pid " + std::to_string(process.pid) + " (" + process.threads.front().comm + ") " + what + "; not supported");
  };
  for (const auto& [pid, process] : alive) {
    auto parent = alive.find(process->ppid);
    bool isOrphan = process->ppid == 1 && process != root;
    // A session is begun by its leader and inherited; a daemon's leader has ended, and is made once more to begin it.
    bool inherits = parent != alive.end() ? parent->second->sid == process->sid : process->sid == root->sid || alive.count(process->sid) == 0;
    if (process->sid != pid && process != root && !inherits)
      refuse(*process, isOrphan ? "has lost its parent and is in the session of a process that has not" : "is in a session that its parent has left");
    if (process->pgid != pid && process->pgid != process->sid && alive.count(process->pgid) == 0)
      refuse(*process, "is in a process group whose leader has ended");
  }
}

}  // namespace appshot
