#include "keeper/instance.h"

#include "core/sys/error.h"

namespace appshot {

Connections connectionsOf(const std::string& name) {
  for (Connections each : {Connections::kAuto, Connections::kKeep, Connections::kReset})
    if (name == nameOf(each)) return each;
  throw Error("bad-request", "'connections' has to be auto, keep or reset, not '" + name + "'");
}

bool isZstd(const std::string& name) {
  if (name != "" && name != "none" && name != "zstd") throw Error("bad-request", "'compress' has to be none or zstd, not '" + name + "'");
  return name == "zstd";
}

const char* nameOf(Connections connections) {
  switch (connections) {
    case Connections::kAuto: return "auto";
    case Connections::kKeep: return "keep";
    case Connections::kReset: return "reset";
  }
  return "auto";
}

InstancePtr InstanceTable::add(const std::string& aid) {
  std::lock_guard lock(mutex_);
  auto [at, isNew] = instances_.try_emplace(aid, nullptr);
  if (!isNew) throw Error("illegal-transition", "instance " + aid + " runs already");
  at->second = std::make_shared<Instance>();
  at->second->aid = aid;
  return at->second;
}

InstancePtr InstanceTable::find(const std::string& aid) const {
  std::lock_guard lock(mutex_);
  auto found = instances_.find(aid);
  return found == instances_.end() ? nullptr : found->second;
}

InstancePtr InstanceTable::get(const std::string& aid) const {
  auto instance = find(aid);
  if (!instance) throw Error("not-found", "no instance " + aid + " runs here");
  return instance;
}

void InstanceTable::remove(const std::string& aid) {
  std::lock_guard lock(mutex_);
  instances_.erase(aid);
}

std::vector<InstancePtr> InstanceTable::all() const {
  std::lock_guard lock(mutex_);
  std::vector<InstancePtr> all;
  for (const auto& [aid, instance] : instances_) all.push_back(instance);
  return all;
}

size_t InstanceTable::size() const {
  std::lock_guard lock(mutex_);
  return instances_.size();
}

}  // namespace appshot
