// snapshot and cancelSnapshot: an instance becomes an image.
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "core/restore/cloneable.h"
#include "core/snapshot/preview.h"
#include "core/snapshot/snapshot.h"
#include "core/sys/failpoint.h"
#include "core/sys/sys.h"
#include "keeper/answers.h"
#include "keeper/arrival.h"
#include "keeper/facts_error.h"
#include "keeper/operations.h"
#include "keeper/redirects.h"
#include "keeper/parking.h"
#include "keeper/request_fields.h"
#include "keeper/state_file.h"
#include "keeper/zygotes.h"

namespace appshot {

namespace {

// Layers above which the older ones are merged: each is one more directory that every look-up of a file goes through.
constexpr size_t kLongestChain = 4;
// How long the address of an instance that sleeps with connections is kept for it: a day, and what a peer's TCP waits for an
// answer before it gives up.
constexpr double kKeepForUs = 86'400e6, kKeepByItselfForUs = 900e6;

struct SnapshotWish {
  std::string aid, image;
  bool keepRunning = false;
  bool isTemplate = false;               // clones will be made of it
  std::string compress;                  // empty: as the instance was launched, where it goes to sleep
};

SnapshotWish readWish(const Json& params) {
  RequestFields fields(params, "snapshot");
  SnapshotWish wish;
  wish.aid = fields.text("aid");
  wish.image = fields.text("image", wish.aid);
  wish.keepRunning = fields.flag("keepRunning", false);
  wish.isTemplate = fields.flag("template", false);
  wish.compress = fields.text("compress", "");
  isZstd(wish.compress);
  fields.done();
  checkName(wish.aid, "AID");
  checkName(wish.image, "image");
  return wish;
}

// False when a visitor's cancellation came first.
bool enterSnapshot(Instance& instance) {
  std::lock_guard lock(instance.mutex);
  if (instance.phase != InstancePhase::kRunning || instance.ended) throw Error("illegal-transition", "instance " + instance.aid + " is ending");
  if (instance.guests > 0) {
    throw FactsError("unsupported-state", "a command runs in " + instance.aid + " beside its application (shot exec): let it end first",
                     {{"resources", {"a command started by exec"}}});
  }
  if (monotonicUs() < instance.noSnapshotUntilUs) return false;
  instance.cancelSnapshot = false;
  instance.phase = InstancePhase::kSnapshotting;
  return true;
}

void leaveSnapshot(Keeper& keeper, const InstancePtr& instance) {
  bool hasEnded;
  {
    std::lock_guard lock(instance->mutex);
    instance->phase = InstancePhase::kRunning;
    instance->changed.notify_all();
    hasEnded = instance->ended;
  }
  if (hasEnded) keeper.exits.check(instance);
}

// Before anything is stopped: an app that cannot be cloned is launched once more instead.
void refuseUncloneable(const Instance& instance) {
  if (instance.spec.clone.duplicateRandomness) return;
  std::string name = withoutConfigurator(*instance.pod);
  if (name.empty()) return;
  throw FactsError("unsupported-state", name + " of " + instance.aid + " has random numbers that nobody can renew (it is statically linked, or a runtime like Bun or Deno): each clone would draw the same " +
                                            "random numbers; say clone: { duplicateRandomness: true } in the app file if that is acceptable",
                   {{"resources", {"the random numbers of " + name}}});
}

// One snapshot under way. What it made and did not give to an image goes when it ends.
class Undertaking {
 public:
  Undertaking(Keeper& keeper, InstancePtr instance, const SnapshotWish& wish) : keeper_(keeper), instance_(std::move(instance)), wish_(wish) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    token_ = std::to_string(::getpid()) + "-" + std::to_string(now.tv_sec) + "." + std::to_string(now.tv_nsec);
    directory_ = keeper.places.images() + "/." + wish.image + "-" + token_;
  }
  ~Undertaking() {
    keeper_.layers.release(held_);
    keeper_.janitor.remove(directory_);
  }

  SnapshotResult run() {
    planLayers();
    InstanceSpec spec = instance_->spec;
    spec.layers = note_.layers;
    spec.rules.clear();
    SnapshotRequest request;
    request.pod = instance_->pod.get();
    request.imageDir = directory_;
    request.meta = Json{{"aid", instance_->aid}, {"spec", jsonOf(spec)}}.dump();
    request.keepRunning = wish_.keepRunning;
    request.rules = instance_->spec.rules;
    request.redirects = redirectPlaces(*instance_);
    request.surroundings = {spec.port, {}, 0, spec.identity.ip};
    for (const ViewBind& bind : spec.binds) request.surroundings.volumes.push_back(bind.at);
    if (!instance_->image.empty() && keeper_.hasImage(instance_->image)) request.wokenFrom = keeper_.places.image(instance_->image);
    request.asyncIo = instance_->spec.asyncIo;
    request.compress = wish_.compress.empty() ? instance_->spec.compress && !wish_.keepRunning : isZstd(wish_.compress);
    request.earlier = earlierImage();
    request.earlierIsOwn = request.earlier && isOwn(*request.earlier);
    request.keepOutside = instance_->spec.connections != Connections::kReset;
    request.silence = [this](bool silent) { keeper_.network.silencePod(instance_->pod->number, instance_->pod->farmIp, silent); };
    request.cancel = &instance_->cancelSnapshot;
    SnapshotResult result = takeSnapshot(request, [this] { whileStopped(); }, [this](const SnapshotResult& saved) { beforeEnd(saved); });
    if (!result.cancelled && wish_.keepRunning) publish(result, "");
    double holdForUs = instance_->spec.connections == Connections::kKeep ? kKeepForUs : kKeepByItselfForUs;
    if (result.keepsAddress) keeper_.hold({instance_->pod->farmIp, wish_.image, monotonicUs() + holdForUs});
    return result;
  }
  uint64_t bytes() const { return note_.bytes; }

 private:
  void planLayers() {
    std::vector<std::string> lowers = instance_->spec.layers;
    if (lowers.size() >= kLongestChain) {
      lowers = {keeper_.layers.merge(lowers)};
      held_.push_back(lowers[0]);
    }
    std::string own = instance_->layer;
    if (wish_.keepRunning) {
      own = keeper_.layers.create();
      held_.push_back(own);
    }
    note_.layers = lowers;
    note_.layers.insert(note_.layers.begin(), own);
    note_.token = token_;
  }

  // The image that the instance came from. Any other would be right as well, and none: what it has is compared.
  std::shared_ptr<Image> earlierImage() const {
    try {
      return instance_->image.empty() ? nullptr : keeper_.images.open(instance_->image);
    } catch (const Error&) {
      return nullptr;
    }
  }

  // Where it is a clone's template, others come from it, too.
  bool isOwn(const Image& image) const { return Json::parse(imageMeta(image), nullptr, false).value("aid", "") == instance_->aid; }

  void whileStopped() {
    failpoint("while stopped");
    if (wish_.keepRunning) keeper_.layers.copyInto(instance_->layer, note_.layers[0]);
  }

  void beforeEnd(const SnapshotResult& saved) {
    // From here on a keeper that finds both the image in its place and the instance ends the instance.
    publish(saved, token_);
  }

  void publish(const SnapshotResult& saved, const std::string& endingToken) {
    for (const auto& layer : note_.layers) {
      bool isNew = layer == note_.layers[0] || std::find(held_.begin(), held_.end(), layer) != held_.end();
      if (isNew) keeper_.layers.sync(layer);
    }
    note_.bytes = keeper_.layers.bytes(note_.layers[0]) + saved.bytes;
    note_.pageBytes = saved.pageBytes;
    writeNote(directory_, note_);
    failpoint("write note");
    if (!endingToken.empty()) keeper_.remember(*instance_, endingToken);
    ImageNote replaced = noteOfImage(keeper_.places, wish_.image);
    keeper_.layers.retain(note_.layers);
    try {
      failpoint("before publishing");
      publishImage(keeper_.places, directory_, wish_.image);
    } catch (...) {
      keeper_.layers.release(note_.layers);
      throw;
    }
    if (!endingToken.empty()) {
      // The image is what the instance is now: whatever fails from here on, it does not run on.
      std::lock_guard lock(instance_->mutex);
      instance_->phase = InstancePhase::kStopping;
    }
    keeper_.layers.release(replaced.layers);
    keeper_.zygotes.drop(wish_.image);
    keeper_.berths.drop(wish_.image);
    keeper_.images.drop(wish_.image);
    failpoint("published");
  }

  Keeper& keeper_;
  InstancePtr instance_;
  const SnapshotWish& wish_;
  std::string token_, directory_;
  ImageNote note_;
  std::vector<std::string> held_;        // layers made for this image, one reference each
};

Answer cancelledAnswer(const SnapshotWish& wish) {
  return {{"image", wish.image}, {"bytes", 0}, {"stoppedMs", 0.0}, {"phases", Answer::object()}, {"keepsAddress", false}, {"cancelled", true}};
}

}  // namespace

Answer snapshotInstance(Call call) {
  SnapshotWish wish = readWish(call.params);
  Keeper& keeper = call.keeper;
  InstancePtr instance = keeper.instances.get(wish.aid);
  std::lock_guard operation(instance->operation);
  if (keeper.instances.find(wish.aid) != instance) throw Error("not-found", "instance " + wish.aid + " has ended");
  Unparked unparked(*instance);
  if (!enterSnapshot(*instance)) return cancelledAnswer(wish);
  SnapshotResult result;
  uint64_t bytes = 0;
  try {
    if (wish.isTemplate) refuseUncloneable(*instance);
    Undertaking undertaking(keeper, instance, wish);
    result = undertaking.run();
    bytes = undertaking.bytes();
  } catch (const UnsupportedState& unsupported) {
    leaveSnapshot(keeper, instance);
    throw FactsError("unsupported-state", wish.aid + " cannot be saved and runs on: " + unsupported.what(), {{"resources", unsupported.resources()}});
  } catch (...) {
    bool isOver;
    {
      std::lock_guard lock(instance->mutex);
      isOver = instance->phase == InstancePhase::kStopping;
    }
    // After the image was in its place there is nothing to go back to.
    if (isOver) keeper.forget(instance);
    else leaveSnapshot(keeper, instance);
    throw;
  }
  if (result.cancelled || wish.keepRunning) leaveSnapshot(keeper, instance);
  else keeper.forget(instance);
  if (!result.cancelled) prepareArrivals(keeper, wish.image, !wish.keepRunning);
  return {{"image", wish.image},
          {"bytes", bytes},
          {"stoppedMs", result.stoppedUs / 1000},
          {"phases", phasesJson(result.phases)},
          {"keepsAddress", result.keepsAddress},
          {"cancelled", result.cancelled}};
}

Answer cancelSnapshot(Call call) {
  RequestFields fields(call.params, "cancelSnapshot");
  std::string aid = fields.text("aid");
  fields.done();
  checkName(aid, "AID");
  Keeper& keeper = call.keeper;
  InstancePtr instance = keeper.instances.find(aid);
  if (instance) {
    constexpr double kGuardUs = 1e6;
    instance->cancelSnapshot = true;
    {
      std::lock_guard lock(instance->mutex);
      // None is under way: the request for it may still be on its way.
      if (instance->phase == InstancePhase::kRunning) instance->noSnapshotUntilUs = monotonicUs() + kGuardUs;
    }
    // Its end, either way.
    std::lock_guard operation(instance->operation);
    if (keeper.instances.find(aid) == instance) return {{"kind", "running"}};
  }
  if (keeper.hasImage(aid)) return {{"kind", "slept"}};
  throw Error("not-found", "there is no instance and no image " + aid);
}

}  // namespace appshot
