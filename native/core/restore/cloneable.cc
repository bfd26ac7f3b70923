#include "core/restore/cloneable.h"

#include "configurator/configurator_page.h"
#include "core/restore/waiting.h"
#include "core/snapshot/stopped_tree.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

void requireCloneable(const State& state, bool duplicateRandomness) {
  for (const Process& process : state.processes) {
    if (process.zombie) continue;
    std::string name = "process " + std::to_string(process.pid) + " (" + process.threads.front().comm + ")";
    if (!process.configurator && !duplicateRandomness)
      throw Error("unsupported-state", name + " has random numbers that nobody can renew (it is statically linked, or a runtime like Bun or Deno): each clone would draw the same random numbers; " +
                                           "say clone: { duplicateRandomness: true } in the app file if that is acceptable");
    if (process.configurator && !wasAtRest(process.threads.front()))
      throw Error("unsupported-state", name + " was saved in the middle of computing; make a template of it while it runs, and clone that");
  }
}

std::string withoutConfigurator(const Pod& pod) {
  for (pid_t pid : podProcesses(pod)) {
    ConfiguratorPage page{};
    std::string name = "a process";
    try {
      ProcStat stat = readProcStat(std::to_string(pid));
      if (stat.state == 'Z') continue;
      name = "process " + std::to_string(virtualPid(pid)) + " (" + stat.comm + ")";
      readRemote(pid, APPSHOT_CONFIGURATOR_ADDRESS, &page, sizeof page);
    } catch (const Error&) {
      page.magic = 0;
    }
    if (page.magic != APPSHOT_CONFIGURATOR_MAGIC) return name;
  }
  return "";
}

}  // namespace appshot
