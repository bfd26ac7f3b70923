#include "core/image/compressed_pages.h"
#include "core/snapshot/snapshot.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <thread>

#include "core/fill/working_set.h"
#include "core/image/image.h"
#include "core/image/shared_runs.h"
#include "core/restore/births.h"
#include "core/snapshot/collect_memory.h"
#include "core/snapshot/collect_state.h"
#include "core/snapshot/collect_thread.h"
#include "core/snapshot/earlier_pages.h"
#include "core/snapshot/likely_pages.h"
#include "core/snapshot/preview.h"
#include "core/snapshot/save_memory.h"
#include "core/snapshot/sock_diag.h"
#include "core/snapshot/stopped_tree.h"
#include "core/sys/failpoint.h"
#include "core/sys/sys.h"
#include "core/template/classify.h"
#include "core/template/references.h"

namespace appshot {

namespace {

// Of all threads together, on however busy a machine; one that cannot be stopped is given up much earlier (tracee.cc).
constexpr int kStopWithinMs = 10'000;
// A template is taken only where the first threads wait: how long they may be stopped for coming there, and be tried again.
constexpr double kRestAtOnceUs = 20e3;
constexpr double kRestWithinUs = 10e6, kRestForSleepUs = 5e3;
constexpr double kAcceptWithinUs = 3e5;

class PhaseClock {
 public:
  explicit PhaseClock(PhasesUs& phases) : phases_(phases), last_(monotonicUs()) {}
  void done(const char* name) {
    double now = monotonicUs();
    phases_.emplace_back(name, now - last_);
    last_ = now;
    failpoint(name);
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
  state.asyncIo = request.asyncIo;
  state.resources = classifyAll(state, request.surroundings, request.rules);
}

uint64_t sizeOf(const std::string& path) { return static_cast<uint64_t>(std::filesystem::file_size(path)); }

// A delta where there are earlier pages and they save enough; then `earlier` is still there. False when it was cancelled.
bool writePages(State& state, PageWriter& pages, std::optional<EarlierPages>& earlier, const SavePlan& plan) {
  uint64_t shared = pages.written(), sharedFrom = pages.position() - shared;
  PageSaver saver(pages, earlier ? &*earlier : nullptr);
  Copied copied = saveMemory(state, saver, plan);
  if (copied == Copied::TooDifferent) {
    forEachSharedRun(state, [&](PageRun& run) { run.position -= sharedFrom; });
    pages.startOver(0, shared);
    earlier.reset();
    PageSaver whole(pages, nullptr);
    copied = saveMemory(state, whole, plan);
  }
  return copied == Copied::Done;
}

PageTables tablesOf(const State& state, PageWriter& pages, const std::optional<EarlierPages>& earlier) {
  PageTables tables;
  if (earlier) tables = {earlier->base(), earlier->segmentsUsedBy(state), {}};
  if (pages.written() > 0) tables.segments.push_back(pages.segment());
  return tables;
}

SnapshotResult takeInThisThread(const SnapshotRequest& request, const std::function<void()>& whileStopped, const std::function<void(const SnapshotResult&)>& beforeEnd) {
  const Pod& pod = *request.pod;
  SnapshotResult result;
  PhaseClock clock(result.phases);
  Silence silence(request.silence);
  ClosedDoors doors;
  Course course{.ends = !request.keepRunning, .doors = &doors, .keepsOutside = request.keepOutside, .silence = &silence};
  // Once something was taken from the instance, a visitor waits until it is back.
  GoOn goOn = [&] { return course.hasTaken || !(request.cancel && request.cancel->load()); };
  if (podProcesses(pod).empty()) throw Error("not-found", "pod " + pod.name + " has no process");
  awaitAccepts(pod, goOn);
  Preview preview = previewTree(pod, course.ends, doors);
  awaitAccepts(pod, goOn);
  PendingDirectory directory(request.imageDir);
  auto [earlier, appended] = linkEarlierPages(request.compress ? nullptr : request.earlier, request.imageDir, request.earlierIsOwn);
  std::string pagesPath = request.imageDir + "/pages.bin";
  PageWriter pages = appended.valid() ? PageWriter(pagesPath, std::move(appended)) : PageWriter(pagesPath, earlier ? earlier->base().bytes : 0);
  uint64_t pagesFrom = pages.position();
  clock.done("look");

  double stoppedAt = 0;
  std::optional<StoppedTree> tree;
  // A clone's first threads start with a call into their libraries, so a template is taken when they wait. What goes to sleep had better
  // wait, too: then it can be cloned, and be told of variables that have changed when it wakes.
  for (double deadlineUs = monotonicUs() + kRestWithinUs;;) {
    stoppedAt = monotonicUs();
    tree.emplace(pod, kStopWithinMs);
    if (!request.keepRunning) tree->tryToRest(kRestForSleepUs);
    if (!request.keepRunning || tree->comeToRest(kRestAtOnceUs)) break;
    tree.reset();
    if (monotonicUs() > deadlineUs) throw Error("unsupported-state", "the instance is busy: its processes did not come to rest within 10 s; make the template later");
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  clock.done("stop");
  State state = collectState(*tree, pod, preview, pages, course);
  planBirths(state);
  tree->putBack();
  whileStopped();
  clock.done("collect");

  std::unique_ptr<MemorySource> memory;
  if (request.keepRunning) {
    memory = std::make_unique<CopiedMemory>(*tree, state);
    tree.reset();
  } else {
    memory = std::make_unique<StoppedMemory>(*tree);
  }
  // From here on an instance that is to end can be let go at any moment instead.
  result.stoppedUs = monotonicUs() - stoppedAt;
  clock.done("memory");
  PageUses uses(request.wokenFrom.empty() ? std::vector<TouchedPage>{} : readWorkingSet(request.wokenFrom));
  bool go = writePages(state, pages, earlier, {*memory, uses, goOn});
  clock.done("copy");

  if (go) {
    makeTemplateOf(state, request);
    if (!earlier) ::unlink((request.imageDir + "/base.bin").c_str());
    PageTables tables = tablesOf(state, pages, earlier);
    if (request.compress) {
      tables.frames = compressPages(request.imageDir, pages.position(), goOn);
      clock.done("compress");
    }
    writeImageFile(request.imageDir, state, request.meta, tables);
    clock.done("write");
    // Beside us: only this thread may let the tree go, and it has to as soon as a visitor comes.
    std::future<void> synced = std::async(std::launch::async, [&] { syncImage(request.imageDir); });
    while (synced.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready)
      if (!goOn()) tree.reset();
    synced.get();
    // Who was half in when the doors were closed is a visitor like any other.
    bool visited = course.ends && !course.hasTaken && anybodyWaits(pod.init);
    go = request.keepRunning || (tree && goOn() && !visited);
    clock.done("sync");
  }
  if (!go) {
    tree.reset();
    result.cancelled = true;
    result.stoppedUs = monotonicUs() - stoppedAt;
    return result;
  }
  // Before the end: the keeper moves the directory into its place there.
  pages.keep();
  result.pageBytes = request.compress ? 0 : pages.written();
  result.bytes = result.pageBytes + sizeOf(request.imageDir + "/image.bin") + (request.compress ? sizeOf(request.imageDir + "/pages.zst") : 0);
  // Before the image takes its place, which may be that of the one it was woken from.
  if (!request.wokenFrom.empty()) copyWorkingSet(request.wokenFrom, request.imageDir, earlier ? lastWritten(state, pagesFrom) : std::vector<TouchedPage>{});
  else guessWorkingSet(request.imageDir, likelyPages(state));
  if (!request.keepRunning) {
    beforeEnd(result);
    silence.letGo();
    doors.letGo();
    for (const UniqueFd& connection : course.keptOutside) endSilently(connection.get());
    result.keepsAddress = !course.keptOutside.empty();
    tree->kill();
    clock.done("end");
  }
  directory.keep();
  return result;
}

}  // namespace

SnapshotResult takeSnapshot(const SnapshotRequest& request, const std::function<void()>& whileStopped, const std::function<void(const SnapshotResult&)>& beforeEnd) {
  // A thread of its own: a tracee that could not be stopped in time cannot be detached from either, but by the end of its tracer.
  return std::async(std::launch::async, [&, operation = FailScope::current()] {
    FailScope scope(operation);
    return takeInThisThread(request, whileStopped, beforeEnd);
  }).get();
}

}  // namespace appshot
