#include "core/snapshot/preview.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "core/fill/filler.h"
#include "core/restore/births.h"
#include "core/snapshot/check_descriptors.h"
#include "core/snapshot/check_process.h"
#include "core/snapshot/check_sharing.h"
#include "core/snapshot/collect_files.h"
#include "core/snapshot/collect_memory.h"
#include "core/snapshot/family.h"
#include "core/snapshot/stopped_tree.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr double kFillWithinUs = 30e6;
constexpr int kLooks = 5, kBetweenLooksMs = 10;

bool isGone(const Error& error) { return error.err() == ENOENT || error.err() == ESRCH; }

std::vector<std::string> lastingIn(pid_t pid, pid_t init, bool ends) {
  std::vector<std::string> names;
  try {
    std::string who = processName(pid);
    for (auto& found : {unsupportedProcessState(pid, init), unsupportedMappings(who, readMaps(std::to_string(pid))), unsupportedDescriptors(who, pid)})
      names.insert(names.end(), found.begin(), found.end());
    if (!ends)
      for (std::string& name : unsupportedInTemplate(pid)) names.push_back(std::move(name));
  } catch (const Error& error) {
    if (!isGone(error)) throw;
  }
  return names;
}

// A program reads a file of /proc now and then, say: what may pass is given some time to.
void refuseWhatLasts(const Pod& pod, const std::vector<pid_t>& pids, bool ends) {
  for (int look = 1;; look++) {
    std::vector<std::string> names;
    for (pid_t pid : pids)
      for (std::string& name : lastingIn(pid, pod.init, ends)) names.push_back(std::move(name));
    if (names.empty()) return;
    if (look == kLooks) throw UnsupportedState(std::move(names));
    std::this_thread::sleep_for(std::chrono::milliseconds(kBetweenLooksMs));
  }
}

// A program that an earlier keeper woke may still wait for its filler, and such pages would look empty.
ProcessPreview previewWholeProcess(pid_t pid) {
  for (double deadlineUs = monotonicUs() + kFillWithinUs;;) {
    ProcessPreview preview = previewProcess(pid, readMaps(std::to_string(pid)));
    bool missing = std::any_of(preview.vmFlags.begin(), preview.vmFlags.end(), [](const auto& entry) { return entry.second.find(" um ") != std::string::npos; });
    if (!missing) return preview;
    if (monotonicUs() > deadlineUs) throw UnsupportedState({processName(pid) + " has memory under a userfaultfd; not supported"});
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void previewOne(pid_t pid, Preview& preview) {
  ProcessPreview seen = previewWholeProcess(pid);
  if (!seen.gadgets.syscallReturn || !seen.gadgets.sigreturn) {
    if (readMaps(std::to_string(pid)).empty()) return;  // it is just ending: its memory has gone
    throw UnsupportedState({processName(pid) + " has no C library that the restorer could leave over; not supported"});
  }
  preview.processes.emplace(pid, std::move(seen));
  preview.paths.learnWatched(pid);
}

// As collecting will do it, but of processes that run: nothing is taken or changed, and what was found is forgotten.
void rehearse(const Pod& pod, Course course, const PathFinder& paths) {
  std::vector<pid_t> pids = podProcesses(pod);
  std::vector<std::string> shared = unsupportedSharing(pids);
  if (!shared.empty()) throw UnsupportedState(std::move(shared));
  State state = readFamily(pids);
  for (Process& process : state.processes) process.subreaper = true;  // not to be seen from outside: it may be one
  planBirths(state);
  state.ownAddress = pod.farmIp.s_addr;
  course.rehearses = true;
  GhostCollector ghosts(state);
  MemoryCollector memory(state, ghosts);
  FileCollector files({state, memory, ghosts, paths, pod.init, course});
  for (pid_t pid : pids) {
    std::vector<RecordLock> locks;
    ghosts.ghostOfProgram(pid);
    memory.collect(pid, readMaps(std::to_string(pid)), {});
    files.collect(pid, locks);
  }
  files.finish();
}

// What may pass is given some time to. Descriptors that came and went meanwhile are no reason.
void rehearseUntilItGoes(const Pod& pod, bool ends, ClosedDoors& doors, const PathFinder& paths) {
  for (int look = 1;; look++) {
    try {
      return rehearse(pod, {.ends = ends, .doors = &doors}, paths);
    } catch (const UnsupportedState&) {
      if (look == kLooks) throw;
    } catch (const Error& error) {
      if (look == kLooks && error.code() == "unsupported-state") throw UnsupportedState({error.what()});
      if (look == kLooks) return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(kBetweenLooksMs));
  }
}

std::string joined(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : "; ") + name;
  return all;
}

}  // namespace

UnsupportedState::UnsupportedState(std::vector<std::string> names) : Error("unsupported-state", joined(names)), resources_(std::move(names)) {}

Preview previewTree(const Pod& pod, bool ends, ClosedDoors& doors) {
  std::vector<pid_t> pids = podProcesses(pod);
  refuseWhatLasts(pod, pids, ends);
  waitUntilFilled(pod);
  Preview preview;
  for (pid_t pid : pids) {
    try {
      previewOne(pid, preview);
    } catch (const Error& error) {
      if (!isGone(error)) throw;
    }
  }
  rehearseUntilItGoes(pod, ends, doors, preview.paths);
  return preview;
}

}  // namespace appshot
