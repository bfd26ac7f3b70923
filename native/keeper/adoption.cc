// The start of a keeper where another one was before: instances that still run are adopted, everything else is swept.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <tuple>

#include "core/pod/freezer.h"
#include "core/snapshot/closed_doors.h"
#include "core/snapshot/stopped_tree.h"
#include "core/sys/sys.h"
#include "keeper/arrival.h"
#include "keeper/image_shelf.h"
#include "keeper/keeper.h"
#include "keeper/state_file.h"

namespace appshot {

using Json = nlohmann::json;

namespace {

// The pipe that the init writes exits into: it holds both ends, at 3 and 4.
UniqueFd reopenExits(pid_t init) {
  std::string path = "/proc/" + std::to_string(init) + "/fd/3";
  return sysFd("open " + path, [&] { return ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC); });
}

void reopenPod(Pod& pod) {
  pod.initPidfd = sysFd("open pidfd of a pod", [&] { return static_cast<int>(::syscall(SYS_pidfd_open, pod.init, 0)); });
  pod.exits = reopenExits(pod.init);
  if (!pod.groups.v2.empty()) {
    pod.cgroup = sysFd("open " + pod.groups.v2, [&] { return ::open(pod.groups.v2.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  }
}

// The last keeper may have gone in the middle of a snapshot.
void letVisitorsIn(const NodeNetwork& network, const Pod& pod) {
  try {
    openDoorsOf(podProcesses(pod));
    network.silencePod(pod.number, pod.farmIp, false);
  } catch (const Error& error) {
    // It may be ending: nothing that would be a reason not to adopt it.
    std::fprintf(stderr, "let visitors into %s again: %s\n", pod.name.c_str(), error.what());
  }
}

}  // namespace

// False when nothing of the instance runs any more.
bool Keeper::adopt(const std::string& aid) {
  std::string text = readFileIfThere(places.state(aid));
  if (text.empty()) return false;
  InstancePtr instance = instances.add(aid);
  try {
    FormerInstance former = readInstance(Json::parse(text), *instance);
    bool lives = former.initStart != 0 && startTimeOf(instance->pod->init) == former.initStart;
    if (lives && !hasImageOfToken(places, former.ending)) {
      reopenPod(*instance->pod);
      instance->phase = InstancePhase::kRunning;
      instance->parked = isFrozen(*instance->pod);
      letVisitorsIn(network, *instance->pod);
      if (instance->spec.egress) network.openOutward();
      layers.retain(instance->spec.layers);
      layers.retain({instance->layer});
      pods.adopt(*instance->pod);
      exits.add(instance);
      // It may have ended while nobody watched and its init's record may be lost with the last keeper.
      exits.check(instance);
      return true;
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "adopt instance %s: %s\n", aid.c_str(), error.what());
  }
  instances.remove(aid);
  return false;
}

// Kills and removes every pod of this owner that no adopted instance lives in.
void Keeper::sweepPods() {
  std::set<unsigned> adopted;
  for (const auto& instance : instances.all()) adopted.insert(instance->pod->number);
  std::set<unsigned> found;
  for (unsigned number : cgroups.numbers()) found.insert(number);
  for (unsigned number : network.numbers()) found.insert(number);
  for (unsigned number : found) {
    if (adopted.count(number)) continue;
    Pod pod;
    pod.number = number;
    pod.groups = cgroups.of(number);
    maker.destroy(pod);
  }
}

void Keeper::claimImages() {
  for (const auto& id : listDirectory(places.images())) {
    if (id[0] == '.') {
      janitor.remove(places.image(id));
    } else {
      layers.retain(noteOfImage(places, id).layers);
    }
  }
}

void Keeper::adoptOrSweep() {
  // First: an instance that turns out to have ended gives up its layers at once, and its image has them, too.
  claimImages();
  for (const auto& id : listDirectory(places.berths())) janitor.remove(places.berth(id));
  for (const auto& aid : listDirectory(places.instances())) {
    if (adopt(aid)) continue;
    ::unlink(places.state(aid).c_str());
    janitor.remove(places.work(aid));
    if (!hasImage(aid)) janitor.remove(places.instance(aid));
  }
  sweepPods();
  layers.sweep();
}

// What the last keeper had worked out for the wakes to come: those that went to sleep last first, and only as much as is kept open
// anyway. In the background: to open an image is to read all of it.
void Keeper::prepareSleepers() {
  constexpr size_t kMost = 64;
  constexpr uint64_t kMostBytes = 1ull << 30;
  std::vector<std::pair<timespec, std::string>> sleepers;
  for (const auto& id : imagesIn(places)) {
    struct stat image {};
    if (!instances.find(id) && ::stat((places.image(id) + "/image.bin").c_str(), &image) == 0) sleepers.emplace_back(image.st_mtim, id);
  }
  std::sort(sleepers.begin(), sleepers.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first.tv_sec, a.first.tv_nsec) > std::tie(b.first.tv_sec, b.first.tv_nsec);
  });
  uint64_t bytes = 0;
  for (size_t i = 0; i < std::min(sleepers.size(), kMost); i++) {
    const std::string& id = sleepers[i].second;
    bytes += noteOfImage(places, id).bytes;
    if (bytes > kMostBytes) return;
    aftercare.add([this, id] {
      // Templates are cloned; an image that is called as its instance was is one that wakes.
      if (::access((places.image(id) + "/pages.zst").c_str(), F_OK) == 0) return;  // see prepareArrivals
      bool isSleeper = hasImage(id) && !instances.find(id) && Json::parse(imageMeta(*images.open(id)), nullptr, false).value("aid", "") == id;
      if (isSleeper) prepareArrivals(*this, id, true);
    });
  }
}

}  // namespace appshot
