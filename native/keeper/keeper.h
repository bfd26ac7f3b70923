// The keeper of one engine directory: owns its pods, instances, layers and images, and outlives those who ask it for things.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <nlohmann/json.hpp>
#include <string>

#include "core/pod/base_view.h"
#include "core/pod/cgroup.h"
#include "core/pod/network.h"
#include "core/pod/pod_maker.h"
#include "core/pod/pod_pool.h"
#include "keeper/aftercare.h"
#include "keeper/berths.h"
#include "keeper/early_wakes.h"
#include "keeper/exit_watch.h"
#include "keeper/image_shelf.h"
#include "keeper/instance.h"
#include "keeper/janitor.h"
#include "keeper/layer_store.h"
#include "keeper/places.h"
#include "keeper/worker_pool.h"
#include "keeper/zygotes.h"

namespace appshot {

struct KeeperSettings {
  std::string initPath;                  // of appshot-init
  std::string configuratorPath;          // of the library that is preloaded; empty: none
};

class Keeper {
 public:
  Keeper(Places places, KeeperSettings settings);

  // Takes the machine into use: sweeps what a former keeper left, adopts its instances. Throws Error.
  void start();
  // With no instance left: leaves nothing of the engine behind but images. Otherwise the instances run on, to be adopted.
  void close();

  // Nothing runs that needs a keeper.
  bool idle();

  // Sets which addresses pods may have and how many pods are kept ready.
  // Without addresses it uses a range that it claims for itself.
  void configure(const std::optional<std::vector<std::string>>& addresses, size_t podsReady);
  // The address of an instance that sleeps with connections to the outside is given to nobody else.
  void hold(const HeldAddress& held);
  // The node has no others, but for those in use.
  void endHoldsBut(const std::vector<std::string>& addresses);

  // What rules call node-ID: the machine's name until an agent says another.
  std::string nodeName() const;
  void setNodeName(const std::string& name);

  // Writes down a running instance for the next keeper.
  void remember(const Instance& instance, const std::string& ending = "") const;
  // Takes an instance out of the table and away: its pod, its layer, its files (its log stays while it has an image).
  // The caller holds `instance.operation`.
  void forget(const InstancePtr& instance);
  // The part of that for what is in no table: gives back pod, layers and files.
  void dismantle(const InstancePtr& instance);
  bool hasImage(const std::string& id) const;
  // A pod for an instance; takes it from a clone that was made in advance where no other address is left. Throws Error `no-address`.
  PodPtr takePod();

  // Tells every connected client.
  void tell(const nlohmann::json& event) const;
  void onTell(std::function<void(const std::string&)> send) { send_ = std::move(send); }

  const Places places;
  const std::string owner;
  const KeeperSettings settings;
  Quiet quiet;
  Janitor janitor;
  LayerStore layers;
  const CgroupTree cgroups;
  NodeNetwork network;
  BaseViews bases;
  PodMaker maker;
  PodPool pods;
  Aftercare aftercare;
  InstanceTable instances;
  OpenImages images;
  Zygotes zygotes;
  Berths berths;
  EarlyWakes earlyWakes;
  WorkerPool workers;
  ExitWatch exits;

 private:
  void adoptOrSweep();
  bool adopt(const std::string& aid);
  void sweepPods();
  void claimImages();
  void prepareSleepers();
  void ended(const InstancePtr& instance);
  void saveSettings();
  nlohmann::json savedHolds();
  void takeHolds(const nlohmann::json& saved);
  void startNetwork();

  mutable std::mutex configuring_;
  std::string nodeName_;
  std::string claimedPrefix_;            // the /24 that it claimed itself
  std::optional<std::vector<std::string>> addresses_;
  size_t podsReady_ = 1;
  std::function<void(const std::string&)> send_;
};

}  // namespace appshot
