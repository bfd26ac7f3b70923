#include "core/snapshot/snapshot.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

#include "core/fill/filler.h"
#include "core/image/environment.h"
#include "core/image/image.h"
#include "core/snapshot/check_process.h"
#include "core/snapshot/check_tree.h"
#include "core/snapshot/collect_files.h"
#include "core/snapshot/collect_ipc.h"
#include "core/snapshot/collect_memory.h"
#include "core/snapshot/collect_process.h"
#include "core/snapshot/collect_thread.h"
#include "core/snapshot/memory_twin.h"
#include "core/snapshot/stopped_tree.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr int kStopWithinMs = 1000;
constexpr double kFillWithinUs = 10e6;
constexpr double kRestWithinUs = 2e6;

class PhaseClock {
 public:
  explicit PhaseClock(PhasesUs& phases) : phases_(phases), last_(monotonicUs()) {}
  void done(const char* name) {
    double now = monotonicUs();
    phases_.emplace_back(name, now - last_);
    last_ = now;
  }

 private:
  PhasesUs& phases_;
  double last_;
};

// Removes a half-written image unless it was kept.
class PendingDirectory {
 public:
  explicit PendingDirectory(std::string path) : path_(std::move(path)) {
    sys("create " + path_, [&] { return ::mkdir(path_.c_str(), 0700); });
  }
  ~PendingDirectory() {
    std::error_code ignored;
    if (!kept_) std::filesystem::remove_all(path_, ignored);
  }
  void keep() { kept_ = true; }

 private:
  std::string path_;
  bool kept_ = false;
};

bool isCancelled(const SnapshotRequest& request) { return request.cancel && request.cancel->load(); }

std::string processName(pid_t pid) {
  return "pid " + std::to_string(virtualPid(pid)) + " (" + readProcStat(std::to_string(pid)).comm + ")";
}

// Offsets of the instance's time namespace: what it sees minus what the node sees.
void readClocks(pid_t pid, State& state) {
  auto now = [](clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return time.tv_sec * 1'000'000'000ll + time.tv_nsec;
  };
  state.monotonicNs = now(CLOCK_MONOTONIC);
  state.boottimeNs = now(CLOCK_BOOTTIME);
  std::istringstream lines(readFileIfThere("/proc/" + std::to_string(pid) + "/timens_offsets"));
  std::string clock;
  for (int64_t seconds, nanos; lines >> clock >> seconds >> nanos;) {
    int64_t& value = clock == "monotonic" || clock == "1" ? state.monotonicNs : state.boottimeNs;
    value += seconds * 1'000'000'000ll + nanos;
  }
}

bool allAtRest(StoppedTree& tree) {
  return std::all_of(tree.processes().begin(), tree.processes().end(),
                     [](const StoppedProcess& process) { return process.zombie || waitsInKernel(process.threads.front().registers()); });
}

// Children that have ended and wait to be collected: in no cgroup any more, but their parents know them.
void collectZombies(StoppedTree& tree, State& state) {
  std::set<pid_t> known;
  for (const StoppedProcess& process : tree.processes()) known.insert(process.pid);
  for (const StoppedProcess& process : tree.processes())
    for (const Tracee& thread : process.threads) {
      std::istringstream children(readFileIfThere("/proc/" + std::to_string(process.pid) + "/task/" + std::to_string(thread.tid()) + "/children"));
      for (pid_t child; children >> child;) {
        if (!known.insert(child).second) continue;
        ProcStat stat = readProcStat(std::to_string(child));
        if (stat.state != 'Z') throw Error("internal", processName(child) + " appeared after everything was stopped");
        Process zombie;
        zombie.pid = virtualPid(child);
        zombie.ppid = process.vpid;
        zombie.zombie = true;
        zombie.exitStatus = static_cast<int32_t>(stat.number(52));
        state.processes.push_back(std::move(zombie));
      }
    }
}

// Parents before children.
void sortProcesses(std::vector<Process>& processes) {
  std::vector<Process> sorted;
  std::set<int32_t> placed{1};
  while (!processes.empty()) {
    auto next = std::find_if(processes.begin(), processes.end(), [&](const Process& p) { return placed.count(p.ppid) > 0; });
    if (next == processes.end()) throw Error("internal", "a process has a parent that is not in the tree");
    placed.insert(next->pid);
    sorted.push_back(std::move(*next));
    processes.erase(next);
  }
  processes = std::move(sorted);
}

struct Collected {
  State state;
  std::vector<pid_t> pids;  // host pids, beside state.processes before sorting
};

State collectState(StoppedTree& tree, const Pod& pod, const std::map<pid_t, ProcessPreview>& previews, PageWriter& pages) {
  State state;
  state.environment = readEnvironment();
  MemoryCollector memory(state);
  FileCollector files(state, memory, pod.init);
  for (StoppedProcess& stopped : tree.processes()) {
    if (stopped.zombie) continue;  // found again among its parent's children
    auto preview = previews.find(stopped.pid);
    std::vector<MapLine> maps = readMaps(std::to_string(stopped.pid));
    Process process;
    collectProcess(stopped, tree, preview != previews.end() ? preview->second : previewProcess(stopped.pid, maps), process);
    if (!process.gadgetSyscall || !process.gadgetSigreturn)
      throw Error("unsupported-state", processName(stopped.pid) + " has no C library that the restorer could leave over; not supported");
    process.vmas = memory.collect(stopped.pid, maps, preview != previews.end() ? preview->second.vmFlags : std::map<uint64_t, std::string>{});
    process.descriptors = files.collect(stopped.pid, process.locks);
    state.processes.push_back(std::move(process));
  }
  files.finish();
  readClocks(tree.processes().front().pid, state);
  memory.saveShared(pages);
  collectIpc(pod, state, pages);
  collectZombies(tree, state);
  return state;
}

bool copyStopped(const SnapshotRequest& request, const StoppedTree& tree, const State& state, PageWriter& pages) {
  auto write = [&](const void* bytes, size_t count) {
    pages.append(bytes, count);
    return !isCancelled(request);
  };
  return std::all_of(state.processes.begin(), state.processes.end(),
                     [&](const Process& process) { return copyRuns(tree.hostPid(process.pid), process.runs, write); });
}

// What a fork does not take along has to be read before the program runs on.
bool survivesFork(const Process& process, const PageRun& run) {
  auto vma = std::lower_bound(process.vmas.begin(), process.vmas.end(), run.address, [](const Vma& v, uint64_t at) { return v.end <= at; });
  return vma != process.vmas.end() && !(vma->advice & kAdviceWipeOnFork);
}

// Writing while stopped is what takes long. The root process is copied copy-on-write and read from its twin; the memory of the
// others, whose parents would notice a twin, goes to a buffer. Then all run on, and the image is written.
bool copyWhileRunning(const SnapshotRequest& request, std::optional<StoppedTree>& tree, const State& state, PageWriter& pages, double stoppedAt,
                      SnapshotResult& result) {
  const Process& root = *std::find_if(state.processes.begin(), state.processes.end(), [](const Process& p) { return p.ppid == 1; });
  StoppedProcess* stoppedRoot = nullptr;
  for (StoppedProcess& stopped : tree->processes())
    if (stopped.vpid == root.pid) stoppedRoot = &stopped;
  MemoryTwin twin(*stoppedRoot, syscallInstruction(stoppedRoot->pid, {root.gadgetSyscall, root.gadgetSigreturn}), root.vmas);
  std::map<uint64_t, std::string> buffered;  // by position
  for (const Process& process : state.processes)
    for (const PageRun& run : process.runs) {
      if (&process == &root && survivesFork(process, run)) continue;
      std::string& bytes = buffered[run.position];
      copyRuns(tree->hostPid(process.pid), {run}, [&](const void* from, size_t count) {
        bytes.append(static_cast<const char*>(from), count);
        return true;
      });
    }
  tree.reset();
  result.stoppedUs = monotonicUs() - stoppedAt;
  auto write = [&](const void* bytes, size_t count) {
    pages.append(bytes, count);
    return !isCancelled(request);
  };
  for (const Process& process : state.processes) {
    std::vector<PageRun> fromTwin;
    for (const PageRun& run : process.runs) {
      auto kept = buffered.find(run.position);
      if (kept == buffered.end()) {
        fromTwin.push_back(run);
        continue;
      }
      if (!copyRuns(twin.pid(), fromTwin, write)) return false;
      fromTwin.clear();
      pages.append(kept->second.data(), kept->second.size());
    }
    if (!copyRuns(twin.pid(), fromTwin, write)) return false;
  }
  return true;
}

// A traced process that was killed stays until its tracer has taken notice of each of its threads, and with it its pid namespace.
void killTree(StoppedTree& tree) {
  for (StoppedProcess& process : tree.processes()) ::kill(process.pid, SIGKILL);
  tree.release();
  for (StoppedProcess& process : tree.processes())
    for (auto thread = process.threads.rbegin(); thread != process.threads.rend(); ++thread) {
      int status = 0;
      // The leader's end is told last, when no other thread is left. Anything but an end (a late stop) is waited over.
      while (::waitpid(thread->tid(), &status, __WALL | __WNOTHREAD) == thread->tid() && WIFSTOPPED(status)) {
      }
    }
}

// A program that an earlier keeper woke may still be missing memory that its filler brings: such pages would look empty.
ProcessPreview previewWholeProcess(pid_t pid) {
  for (double deadlineUs = monotonicUs() + kFillWithinUs;;) {
    ProcessPreview preview = previewProcess(pid, readMaps(std::to_string(pid)));
    bool missing = std::any_of(preview.vmFlags.begin(), preview.vmFlags.end(), [](const auto& entry) { return entry.second.find(" um ") != std::string::npos; });
    if (!missing) return preview;
    if (monotonicUs() > deadlineUs) throw Error("unsupported-state", processName(pid) + " has memory under a userfaultfd; not supported");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// Everything that has to be looked at is read once more while stopped, so that nothing slipped in between.
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

}  // namespace

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

SnapshotResult takeSnapshot(const SnapshotRequest& request, const std::function<void()>& whileStopped,
                            const std::function<void()>& beforeEnd) {
  const Pod& pod = *request.pod;
  SnapshotResult result;
  PhaseClock clock(result.phases);
  std::vector<pid_t> pids = podProcesses(pod);
  if (pids.empty()) throw Error("not-found", "pod " + pod.name + " has no process");
  refuseUnsupported(pids, pod.init);
  std::map<pid_t, ProcessPreview> previews;
  waitUntilFilled(pod.init);
  for (pid_t pid : pids) previews.emplace(pid, previewWholeProcess(pid));
  PendingDirectory directory(request.imageDir);
  PageWriter pages(request.imageDir + "/pages.bin");
  clock.done("look");

  double stoppedAt = 0;
  std::optional<StoppedTree> tree;
  // A clone's first threads start with a call into their libraries, so a template is taken when they wait.
  for (double deadlineUs = monotonicUs() + kRestWithinUs;;) {
    stoppedAt = monotonicUs();
    tree.emplace(pod, kStopWithinMs);
    if (!request.keepRunning || allAtRest(*tree)) break;
    tree.reset();
    if (monotonicUs() > deadlineUs) throw Error("unsupported-state", "the instance is busy: its processes did not come to rest within 2 s; make the template later");
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  clock.done("stop");
  State state = collectState(*tree, pod, previews, pages);
  checkTree(state);
  tree->putBack();
  whileStopped();
  clock.done("collect");

  uint64_t position = pages.position();
  for (Process& process : state.processes) {
    if (process.zombie) continue;
    process.runs = findRuns(tree->hostPid(process.pid), process.vmas, position);
    for (const PageRun& run : process.runs) position += run.pages * kPageSize;
  }
  // From here on an instance that is to end can be let go at any moment instead.
  if (!request.keepRunning) result.stoppedUs = monotonicUs() - stoppedAt;
  bool go = request.keepRunning ? copyWhileRunning(request, tree, state, pages, stoppedAt, result) : copyStopped(request, *tree, state, pages);
  clock.done("copy");

  if (go) {
    sortProcesses(state.processes);
    writeImageFile(request.imageDir, state, request.meta, pages.chunkSums(), pages.position());
    clock.done("write");
    // Beside us: only this thread may let the tree go, and it has to as soon as a visitor comes.
    std::future<void> synced = std::async(std::launch::async, [&] { syncImage(request.imageDir); });
    while (synced.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready)
      if (isCancelled(request)) tree.reset();
    synced.get();
    go = request.keepRunning || (tree && !isCancelled(request));
    clock.done("sync");
  }
  if (!go) {
    tree.reset();
    result.cancelled = true;
    result.stoppedUs = monotonicUs() - stoppedAt;
    return result;
  }
  // Before the end: the keeper moves the directory into its place there.
  result.bytes = pages.position() + static_cast<uint64_t>(std::filesystem::file_size(request.imageDir + "/image.bin"));
  // Before the image takes its place, which may be that of the one it was woken from.
  if (!request.wokenFrom.empty()) copyWorkingSet(request.wokenFrom, request.imageDir);
  if (!request.keepRunning) {
    beforeEnd();
    killTree(*tree);
    clock.done("end");
  }
  pages.trust();
  directory.keep();
  return result;
}

}  // namespace appshot
