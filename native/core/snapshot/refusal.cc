#include "core/snapshot/refusal.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/snapshot/check_descriptors.h"
#include "core/snapshot/check_process.h"
#include "core/snapshot/collect_memory.h"
#include "core/snapshot/snapshot.h"
#include "core/snapshot/stopped_tree.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

static constexpr double kFillWithinUs = 10e6;

ProcessPreview previewWholeProcess(pid_t pid) {
  for (double deadlineUs = monotonicUs() + kFillWithinUs;;) {
    ProcessPreview preview = previewProcess(pid, readMaps(std::to_string(pid)));
    bool missing = std::any_of(preview.vmFlags.begin(), preview.vmFlags.end(), [](const auto& entry) { return entry.second.find(" um ") != std::string::npos; });
    if (!missing) return preview;
    if (monotonicUs() > deadlineUs) throw Error("unsupported-state", processName(pid) + " has memory under a userfaultfd; not supported");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void refuseUnsupported(const std::vector<pid_t>& pids, pid_t init) {
  std::vector<std::string> names;
  for (pid_t pid : pids) {
    std::string who = processName(pid);
    for (auto& found : {unsupportedProcessState(pid, init), unsupportedMappings(who, readMaps(std::to_string(pid))), unsupportedDescriptors(who, pid)})
      names.insert(names.end(), found.begin(), found.end());
  }
  if (names.empty()) return;
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : "; ") + name;
  throw Error("unsupported-state", all);
}

std::vector<std::string> findUnsupported(const Pod& pod) {
  std::vector<std::string> names;
  for (pid_t pid : podProcesses(pod)) {
    try {
      refuseUnsupported({pid}, pod.init);
    } catch (const Error& error) {
      if (error.err() == ENOENT || error.err() == ESRCH) continue;
      names.push_back(error.what());
    }
  }
  return names;
}

}  // namespace appshot
