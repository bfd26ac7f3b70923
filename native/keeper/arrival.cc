#include "keeper/arrival.h"

#include "core/image/image.h"
#include "core/pod/packet_filter.h"
#include "core/restore/written_files.h"
#include "core/sys/error.h"
#include "core/template/classify.h"
#include "core/template/references.h"
#include "core/sys/proc.h"
#include "keeper/berth.h"
#include "keeper/furnishing.h"
#include "keeper/redirects.h"
#include "keeper/self.h"
#include "keeper/state_file.h"

namespace appshot {

using Json = nlohmann::json;

InstanceSpec specOfImage(const Image& image) {
  Json meta = Json::parse(imageMeta(image), nullptr, false);
  if (!meta.is_object() || !meta.contains("spec")) throw Error("image-invalid", "the image does not say what it is an image of");
  InstanceSpec spec = specOf(meta["spec"]);
  spec.rules = image.state().rules;
  return spec;
}

void describeFromImage(Keeper& keeper, const Image& image, Instance& instance) {
  InstanceSpec spec = specOfImage(image);
  keeper.layers.retain(spec.layers);
  instance.former = spec.identity;
  if (instance.isClone) spec.generation++;
  instance.spec = std::move(spec);
}

// If nobody else has it: from now on packets for it go to the pod, which does not take it before its connections are there.
void takeOldAddress(Keeper& keeper, Instance& instance) {
  OldAddress& old = instance.oldAddress;
  old.replaced = instance.pod->farmIp;
  if (!keeper.pods.readdress(*instance.pod, old.address)) old = {};
}

static void preparePod(Keeper& keeper, const Instance& instance) {
  keepPortsInside(*instance.pod, portsKeptInside(instance.spec.rules));
  if (instance.spec.egress) keeper.network.letOut(*instance.pod);
}

// With the address that its connections are bound to, if it has such.
static void takePodFor(Keeper& keeper, Instance& instance, Stopwatch* watch) {
  instance.pod = keeper.takePod();
  if (watch != nullptr) watch->lap("pod");
  preparePod(keeper, instance);
  if (instance.oldAddress.isGiven()) takeOldAddress(keeper, instance);
}

void makeView(Keeper& keeper, Instance& instance, Furnishing furnishing, Stopwatch* watch) {
  auto lap = [&](const char* phase) {
    if (watch != nullptr) watch->lap(phase);
  };
  bool isNew = furnishing == Furnishing::kNew;
  Berth berth = isNew ? makeBerth(instance.spec, keeper.bases, keeper.layers, keeper.places) : keeper.berths.take(instance.image, instance.spec);
  instance.layer = berth.id;
  moveIn(berth, instance.aid, keeper.janitor, keeper.places);
  nameLayer(instance.aid, keeper.layers.rootOf(berth.id));
  FileView view;
  view.trees = berth.trees;
  view.binds = instance.spec.binds;
  view.binds.push_back({keeper.places.self(instance.aid), kSelfInView, false});
  view.hostName = instance.aid;
  if (isNew) furnishForLaunch(instance.spec, view, berth.detached, keeper.settings.configuratorPath);
  lap("berth");
  if (!instance.pod) takePodFor(keeper, instance, watch);
  becomeItself(keeper, instance, keeper.places.self(instance.aid));
  showView(view, berth.detached, *instance.pod);
  placeRedirects(instance, isNew);
  if (isNew) instance.pod->groups.limit(instance.spec.limits);
  lap("view");
}

void makeNamelessView(Keeper& keeper, Instance& instance, Stopwatch* watch) {
  auto lap = [&](const char* phase) {
    if (watch != nullptr) watch->lap(phase);
  };
  Berth berth = keeper.berths.take(instance.image, instance.spec);
  instance.layer = berth.id;
  FileView view;
  view.trees = berth.trees;
  view.binds = instance.spec.binds;
  // It gets another name when somebody moves in, and stays the same directory.
  view.binds.push_back({keeper.places.berth(berth.id) + "/self", kSelfInView, false});
  view.hostName = "unborn";
  lap("berth");
  instance.pod = keeper.takePod();
  lap("pod");
  preparePod(keeper, instance);
  showView(view, berth.detached, *instance.pod);
  lap("view");
}

void nameInstance(Keeper& keeper, const Instance& instance) {
  Berth berth;
  berth.id = instance.layer;
  moveIn(berth, instance.aid, keeper.janitor, keeper.places);
  nameLayer(instance.aid, keeper.layers.rootOf(instance.layer));
}

void inherit(Instance& instance, const Instance& unborn) {
  instance.spec = unborn.spec;
  instance.former = unborn.former;
  instance.layer = unborn.layer;
  instance.image = unborn.image;
  instance.isClone = unborn.isClone;
  instance.pod = unborn.pod;
  instance.root = unborn.root;
  instance.rootVpid = unborn.rootVpid;
}

std::unique_ptr<WakeUnderWay> beginWake(Keeper& keeper, Instance& instance, Stopwatch* watch) {
  auto wake = keeper.images.takeWake(instance.image);
  if (watch != nullptr) watch->lap("open");
  describeFromImage(keeper, wake->image(), instance);
  instance.oldAddress.address = addressOfConnections(wake->image());
  takePodFor(keeper, instance, watch);
  takeIdentity(keeper, instance);
  WakeOptions options{instance.oldAddress, instance.environmentChanged};
  if (options.oldAddress.isGiven() || options.tellVariables) {
    wake = wake->with(options, *instance.pod);
    if (watch != nullptr) watch->lap("compile");
  }
  auto underWay = wake->begin(*instance.pod);
  if (watch != nullptr) watch->lap("begin");
  makeView(keeper, instance, Furnishing::kFromImage, watch);
  underWay->furnish();
  return underWay;
}

void prepareArrivals(Keeper& keeper, const std::string& image, bool willWake) {
  keeper.aftercare.add([&keeper, image, willWake] {
    if (!keeper.hasImage(image)) return;
    // As long as a compressed image is open, its pages take disk as they are: it is not opened ahead.
    if (::access((keeper.places.image(image) + "/pages.zst").c_str(), F_OK) == 0) return;
    if (willWake) keeper.images.prepareWake(image);
    auto opened = keeper.images.open(image);
    keeper.berths.prepare(image, specOfImage(*opened), 1, willWake ? writtenFiles(*opened) : std::vector<std::string>{});
  });
}

void watchOver(Keeper& keeper, const InstancePtr& instance) {
  keeper.remember(*instance);
  keeper.exits.add(instance);
}

void settleCgroups(const Instance& instance) {
  instance.pod->groups.limit(instance.spec.limits);
  instance.pod->groups.moveIntoV1();
}

void settle(Keeper& keeper, const InstancePtr& instance) {
  watchOver(keeper, instance);
  keeper.aftercare.add([instance] { settleCgroups(*instance); });
}

void open(Keeper& keeper, const InstancePtr& instance) {
  bool hasEnded;
  {
    std::lock_guard lock(instance->mutex);
    instance->phase = InstancePhase::kRunning;
    hasEnded = instance->ended;
  }
  // It ended while it was still starting; the watch has said so already and will not say it again.
  if (hasEnded) keeper.exits.check(instance);
}

}  // namespace appshot
