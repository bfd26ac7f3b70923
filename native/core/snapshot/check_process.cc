#include "core/snapshot/check_process.h"

#include <cstdlib>
#include <map>

#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

std::vector<std::string> unsupportedProcessState(pid_t pid, pid_t init) {
  std::vector<std::string> names;
  std::map<std::string, std::string> status = readProcStatus(std::to_string(pid));
  std::string who = "pid " + std::to_string(virtualPid(pid)) + " (" + status["Name"] + ")";
  if (std::strtol(status["TracerPid"].c_str(), nullptr, 10) != 0) names.push_back(who + " is being traced by another process; not supported");
  if (status["Seccomp"] == "1") names.push_back(who + " is in seccomp strict mode; not supported");
  if (status["State"].rfind("Z", 0) == 0 && listDirectory("/proc/" + std::to_string(pid) + "/task").size() > 1)
    names.push_back(who + " goes on without its first thread; not supported");
  if (status["State"].rfind("T", 0) == 0) names.push_back(who + " is stopped by a signal; not supported");
  // The pod's init has the namespaces that the instance was given; an application with others made them itself.
  for (const char* space : {"pid", "pid_for_children", "net", "mnt", "ipc", "uts", "user", "cgroup"})
    if (readLink("/proc/" + std::to_string(pid) + "/ns/" + space) != readLink("/proc/" + std::to_string(init) + "/ns/" + space))
      names.push_back(who + " is in a " + space + " namespace of its own; not supported");
  return names;
}

}  // namespace appshot
