#include "keeper/keeper.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "core/fill/filler.h"
#include "core/pod/owner.h"
#include "core/restore/nursery.h"
#include "core/sys/sys.h"
#include "keeper/address_claim.h"
#include "keeper/signal_names.h"
#include "keeper/state_file.h"

namespace appshot {

using Json = nlohmann::json;

namespace {

void makeDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) throwErrno("make directory " + path, errno);
}

}  // namespace

Keeper::Keeper(Places where, KeeperSettings set)
    : places(std::move(where)),
      owner(ownerOf(places.engine)),
      settings(std::move(set)),
      janitor(places.trash(), quiet),
      layers(places.layers(), janitor),
      cgroups(CgroupTree::find(owner)),
      network(owner),
      bases(places.engine),
      maker(owner, bases.stage(), cgroups, network),
      pods(maker, quiet),
      aftercare(quiet),
      images(places),
      zygotes(*this),
      berths(*this),
      earlyWakes(*this),
      exits([this](InstancePtr instance) { workers.run([this, instance] { ended(instance); }); }) {}

void Keeper::start() {
  bases.start();  // before there is another thread
  // Now, so that no wake has to.
  Nursery::instance();
  prepareFiller();
  makeDirectory(places.instances());
  makeDirectory(places.images());
  makeDirectory(places.berths());
  janitor.start();
  layers.start();
  cgroups.start();
  maker.start(settings.initPath);
  exits.start();
  aftercare.start();
  adoptOrSweep();
  network.start();
  startNetwork();
  pods.start();
  prepareSleepers();
}

// The settings of the last keeper hold until somebody configures this one.
void Keeper::startNetwork() {
  Json saved = Json::parse(readFileIfThere(places.settings()), nullptr, false);
  std::optional<std::vector<std::string>> addresses;
  size_t ready = 1;
  if (saved.is_object()) {
    if (saved.contains("addresses")) addresses = saved["addresses"].get<std::vector<std::string>>();
    ready = saved.value("podsReady", ready);
    nodeName_ = saved.value("node", "");
    takeHolds(saved.value("held", Json::array()));
  }
  configure(addresses, ready);
}

void Keeper::configure(const std::optional<std::vector<std::string>>& addresses, size_t podsReady) {
  std::vector<in_addr> parsed;
  for (const auto& text : addresses.value_or(std::vector<std::string>())) parsed.push_back(addressOf(text));
  std::lock_guard lock(configuring_);
  if (!addresses) {
    if (claimedPrefix_.empty()) claimedPrefix_ = claimAddresses(places.engine, owner);
    parsed = addressesOf(claimedPrefix_);
  } else if (!claimedPrefix_.empty()) {
    releaseAddresses(claimedPrefix_);
    claimedPrefix_.clear();
  }
  // An address that an instance has may be missing from the list, so that it is not used again.
  std::vector<in_addr> reserved = parsed;
  for (const auto& instance : instances.all()) {
    std::lock_guard instanceLock(instance->mutex);
    if (instance->phase != InstancePhase::kStarting) reserved.push_back(instance->pod->farmIp);
  }
  for (const HeldAddress& held : pods.held()) reserved.push_back(held.address);
  network.reserve(reserved);
  addresses_ = addresses;
  podsReady_ = podsReady;
  pods.configure(parsed, podsReady);
  zygotes.releaseEmbryos([&](const Unborn& unborn) { return !pods.mayHold(unborn.instance->pod->farmIp); });
  saveSettings();
}

std::string Keeper::nodeName() const {
  std::lock_guard lock(configuring_);
  if (!nodeName_.empty()) return nodeName_;
  char name[HOST_NAME_MAX + 1]{};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

void Keeper::setNodeName(const std::string& name) {
  std::lock_guard lock(configuring_);
  nodeName_ = name;
  saveSettings();
}

void Keeper::hold(const HeldAddress& held) {
  std::lock_guard lock(configuring_);
  pods.hold(held);
  saveSettings();
}

void Keeper::endHoldsBut(const std::vector<std::string>& addresses) {
  std::vector<in_addr> these;
  for (const std::string& text : addresses) these.push_back(addressOf(text));
  pods.endHoldsBut(these);
}

// In the time of day: CLOCK_MONOTONIC may begin anew before they are read.
Json Keeper::savedHolds() {
  Json saved = Json::array();
  for (const HeldAddress& held : pods.held())
    saved.push_back({{"address", textOf(held.address)}, {"image", held.image}, {"until", timeOfDayUs() + held.untilUs - monotonicUs()}});
  return saved;
}

void Keeper::takeHolds(const Json& saved) {
  for (const Json& held : saved)
    pods.hold({addressOf(held.at("address")), held.at("image"), held.at("until").get<double>() - timeOfDayUs() + monotonicUs()});
}

void Keeper::saveSettings() {
  Json saved = {{"podsReady", podsReady_}, {"node", nodeName_}, {"held", savedHolds()}};
  if (addresses_) saved["addresses"] = *addresses_;
  replaceFile(places.settings(), saved.dump());
}

// Who sleeps with connections finds its address kept for as long as this keeper is there to keep it.
bool Keeper::idle() { return instances.size() == 0 && pods.held().empty(); }

void Keeper::close() {
  workers.close();
  earlyWakes.close();
  zygotes.close();
  aftercare.close();
  berths.close();
  pods.close();
  exits.close();
  bool nothingRuns = instances.size() == 0;
  if (nothingRuns) {
    network.close();
    cgroups.close();
    if (!claimedPrefix_.empty()) releaseAddresses(claimedPrefix_);
    ::unlink(places.settings().c_str());
  }
  janitor.close();
  bases.close();
  // Only what is empty goes: there may be images, and logs of instances that sleep.
  for (const std::string& path : {places.instances(), places.images(), places.layers(), places.berths()}) ::rmdir(path.c_str());
}

void Keeper::remember(const Instance& instance, const std::string& ending) const {
  writeState(places.state(instance.aid), jsonOf(instance, ending).dump());
}

bool Keeper::hasImage(const std::string& id) const {
  struct stat st;
  return ::stat(places.image(id).c_str(), &st) == 0;
}

PodPtr Keeper::takePod() {
  try {
    return pods.take();
  } catch (const Error& error) {
    if (error.code() != "no-address" || !zygotes.releaseEmbryos([](const Unborn&) { return true; })) throw;
  }
  return pods.take();
}

void Keeper::forget(const InstancePtr& instance) {
  if (instance->pod) exits.remove(instance);
  instances.remove(instance->aid);
  ::unlink(places.state(instance->aid).c_str());
  dismantle(instance);
}

void Keeper::dismantle(const InstancePtr& instance) {
  std::vector<std::string> held = instance->spec.layers;
  if (!instance->layer.empty()) held.push_back(instance->layer);
  // An overlay keeps what it needs of removed layers until its mount is gone with the pod.
  if (instance->pod) pods.giveBack(instance->pod);
  layers.release(held);
  if (!instance->layer.empty()) janitor.remove(places.berth(instance->layer));
  janitor.remove(places.work(instance->aid));
  if (!hasImage(instance->aid)) janitor.remove(places.instance(instance->aid));
}

void Keeper::ended(const InstancePtr& instance) {
  std::lock_guard operation(instance->operation);
  std::optional<int> status;
  {
    std::lock_guard lock(instance->mutex);
    // A launch, a stop or a snapshot that is under way sees to it itself.
    if (!instance->ended || instance->phase != InstancePhase::kRunning) return;
    instance->phase = InstancePhase::kStopping;
    status = instance->rootStatus;
  }
  forget(instance);
  Json event = {{"kind", "exited"}, {"aid", instance->aid}, {"status", nullptr}, {"signal", nullptr}};
  if (status && WIFEXITED(*status)) event["status"] = WEXITSTATUS(*status);
  if (status && WIFSIGNALED(*status)) event["signal"] = signalName(WTERMSIG(*status));
  tell(event);
}

void Keeper::tell(const Json& event) const {
  if (send_) send_(Json{{"event", event}}.dump());
}

}  // namespace appshot
