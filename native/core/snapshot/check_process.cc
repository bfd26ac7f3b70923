#include "core/snapshot/check_process.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <map>

#include "core/snapshot/tracee.h"
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
  // Our own SIGSTOP takes it away.
  auto signals = [&status](const char* name) { return std::strtoull(status[name].c_str(), nullptr, 16); };
  if ((signals("SigPnd") | signals("ShdPnd")) & signals("SigBlk") & (1ull << (SIGCONT - 1))) names.push_back(who + " has a blocked SIGCONT waiting; not supported");
  // The pod's init has the namespaces that the instance was given; an application with others made them itself.
  for (const char* space : {"pid", "pid_for_children", "net", "mnt", "ipc", "uts", "user", "cgroup"})
    if (readLink("/proc/" + std::to_string(pid) + "/ns/" + space) != readLink("/proc/" + std::to_string(init) + "/ns/" + space))
      names.push_back(who + " is in a " + space + " namespace of its own; not supported");
  return names;
}

std::string standsInTheMiddle(const std::string& who) { return who + " was stopped by a signal in the middle of computing: a template cannot have it; continue it first"; }

std::vector<std::string> unsupportedInTemplate(pid_t pid) {
  std::string process = std::to_string(pid);
  if (readProcStat(process).state != 'T') return {};
  for (const std::string& thread : listDirectory("/proc/" + process + "/task")) {
    // -1: in no system call; then its stack and where it is.
    unsigned long stack = 0, instruction = 0;
    std::string line = readFileIfThere("/proc/" + process + "/task/" + thread + "/syscall");
    if (std::sscanf(line.c_str(), "-1 0x%lx 0x%lx", &stack, &instruction) == 2 && !standsBeforeCall(pid, instruction)) return {standsInTheMiddle(processName(pid))};
  }
  return {};
}

bool standsBeforeCall(pid_t process, uint64_t instruction) {
  constexpr uint8_t kSyscall[2] = {0x0f, 0x05};
  uint8_t code[2]{};
  try {
    readRemote(process, instruction, code, sizeof code);
  } catch (const Error&) {
    return false;
  }
  return std::equal(std::begin(code), std::end(code), std::begin(kSyscall));
}

}  // namespace appshot
