#include "core/snapshot/snapshot.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>
#include <optional>
#include <thread>

#include "core/fill/working_set.h"
#include "core/image/image.h"
#include "core/snapshot/check_tree.h"
#include "core/snapshot/collect_memory.h"
#include "core/snapshot/collect_state.h"
#include "core/snapshot/collect_thread.h"
#include "core/snapshot/family.h"
#include "core/snapshot/preview.h"
#include "core/snapshot/save_memory.h"
#include "core/snapshot/sock_diag.h"
#include "core/snapshot/stopped_tree.h"
#include "core/sys/sys.h"
#include "core/template/classify.h"
#include "core/template/references.h"

namespace appshot {

namespace {

constexpr int kStopWithinMs = 1000;
// A template is taken only where the first threads wait: how long they may be stopped for coming there, and be tried again.
constexpr double kRestAtOnceUs = 20e3;
constexpr double kRestWithinUs = 2e6;
constexpr double kAcceptWithinUs = 3e5;

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

// Whoever waits to be accepted usually does not wait long.
void awaitAccepts(const Pod& pod, const GoOn& goOn) {
  for (double deadlineUs = monotonicUs() + kAcceptWithinUs; anybodyWaits(pod.init) && goOn() && monotonicUs() < deadlineUs;)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

// What makes the image a template: references instead of what they came out as, rules, and the class of each resource.
void makeTemplateOf(State& state, const SnapshotRequest& request) {
  keepReferences(state, request.redirects);
  state.rules = request.rules;
  state.resources = classifyAll(state, request.surroundings, request.rules);
}

SnapshotResult takeInThisThread(const SnapshotRequest& request, const std::function<void()>& whileStopped, const std::function<void()>& beforeEnd) {
  const Pod& pod = *request.pod;
  SnapshotResult result;
  PhaseClock clock(result.phases);
  Silence silence(request.silence);
  Course course{.ends = !request.keepRunning, .keepsOutside = request.keepOutside, .silence = &silence};
  // Once something was taken from the instance, a visitor waits until it is back.
  GoOn goOn = [&] { return course.hasTaken || !(request.cancel && request.cancel->load()); };
  if (podProcesses(pod).empty()) throw Error("not-found", "pod " + pod.name + " has no process");
  awaitAccepts(pod, goOn);
  Preview preview = previewTree(pod, course.ends);
  PendingDirectory directory(request.imageDir);
  PageWriter pages(request.imageDir + "/pages.bin");
  clock.done("look");

  double stoppedAt = 0;
  std::optional<StoppedTree> tree;
  // A clone's first threads start with a call into their libraries, so a template is taken when they wait.
  for (double deadlineUs = monotonicUs() + kRestWithinUs;;) {
    stoppedAt = monotonicUs();
    tree.emplace(pod, kStopWithinMs);
    if (!request.keepRunning || tree->comeToRest(kRestAtOnceUs)) break;
    tree.reset();
    if (monotonicUs() > deadlineUs) throw Error("unsupported-state", "the instance is busy: its processes did not come to rest within 2 s; make the template later");
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  clock.done("stop");
  State state = collectState(*tree, pod, preview, pages, course);
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
  bool go = request.keepRunning ? copyWhileRunning(tree, state, pages, goOn, [&] { result.stoppedUs = monotonicUs() - stoppedAt; }) : copyStopped(*tree, state, pages, goOn);
  clock.done("copy");

  if (go) {
    sortFamily(state.processes);
    makeTemplateOf(state, request);
    writeImageFile(request.imageDir, state, request.meta, pages.chunkSums(), pages.position());
    clock.done("write");
    // Beside us: only this thread may let the tree go, and it has to as soon as a visitor comes.
    std::future<void> synced = std::async(std::launch::async, [&] { syncImage(request.imageDir); });
    while (synced.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready)
      if (!goOn()) tree.reset();
    synced.get();
    go = request.keepRunning || (tree && goOn());
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
    silence.letGo();
    for (const UniqueFd& connection : course.keptOutside) endSilently(connection.get());
    result.keepsAddress = !course.keptOutside.empty();
    tree->kill();
    clock.done("end");
  }
  pages.trust();
  directory.keep();
  return result;
}

}  // namespace

SnapshotResult takeSnapshot(const SnapshotRequest& request, const std::function<void()>& whileStopped, const std::function<void()>& beforeEnd) {
  // A thread of its own: a tracee that could not be stopped in time cannot be detached from either, but by the end of its tracer.
  return std::async(std::launch::async, [&] { return takeInThisThread(request, whileStopped, beforeEnd); }).get();
}

}  // namespace appshot
