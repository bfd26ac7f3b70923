#include "keeper/arrival.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/sys/sys.h"
#include "keeper/state_file.h"
#include "keeper/view_plan.h"

namespace appshot {

using Json = nlohmann::json;

namespace {

// The log belongs to the application's user, so that a program may open /dev/stdout again.
void makeInstanceFiles(Keeper& keeper, const Instance& instance) {
  std::string directory = keeper.places.instance(instance.aid);
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) throwErrno("make directory " + directory, errno);
  std::string log = keeper.places.log(instance.aid);
  UniqueFd fd = sysFd("make " + log, [&] { return ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600); });
  sys("give the log to the application", [&] { return ::fchown(fd.get(), instance.spec.uid, instance.spec.gid); });
}

}  // namespace

void describeFromImage(Keeper& keeper, const Image& image, Instance& instance) {
  Json meta = Json::parse(imageMeta(image), nullptr, false);
  if (!meta.is_object() || !meta.contains("spec")) throw Error("image-invalid", "the image does not say what it is an image of");
  InstanceSpec spec = specOf(meta["spec"]);
  keeper.layers.retain(spec.layers);
  instance.spec = std::move(spec);
}

void makeView(Keeper& keeper, Instance& instance, Furnishing furnishing, Stopwatch* watch) {
  auto lap = [&](const char* phase) {
    if (watch != nullptr) watch->lap(phase);
  };
  makeInstanceFiles(keeper, instance);
  instance.layer = keeper.layers.create();
  PreparedView prepared = prepareView(instance.aid, instance.spec, instance.layer, keeper.bases, keeper.layers, keeper.places);
  if (furnishing == Furnishing::kNew) furnishForLaunch(instance.spec, prepared);
  if (furnishing != Furnishing::kAsItIs) furnishName(instance.aid, prepared);
  lap("mount");
  instance.pod = keeper.pods.take();
  lap("pod");
  showView(prepared.view, prepared.detached, *instance.pod);
  instance.pod->groups.limit(instance.spec.limits);
  lap("view");
}

void settle(Keeper& keeper, const InstancePtr& instance) {
  keeper.remember(*instance);
  keeper.exits.add(instance);
  keeper.aftercare.add(instance->pod);
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
