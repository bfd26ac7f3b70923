#include "keeper/berths.h"

#include <cstdio>

#include "core/sys/error.h"
#include "core/sys/failpoint.h"
#include "keeper/copy_ahead.h"
#include "keeper/keeper.h"

namespace appshot {

namespace {

// Each is two mounts and a score of files; a node may have many sleeping sites.
constexpr size_t kMostImages = 256;

}  // namespace

Berth Berths::take(const std::string& imageId, const InstanceSpec& spec) {
  {
    std::lock_guard lock(mutex_);
    auto found = ready_.find(imageId);
    if (found != ready_.end() && found->second.layers == spec.layers && !found->second.berths.empty()) {
      Berth berth = std::move(found->second.berths.front());
      found->second.berths.pop_front();
      return berth;
    }
  }
  return makeBerth(spec, keeper_.bases, keeper_.layers, keeper_.places);
}

void Berths::prepare(const std::string& imageId, const InstanceSpec& spec, size_t count, const std::vector<std::string>& written) {
  for (;;) {
    {
      std::lock_guard lock(mutex_);
      auto found = ready_.find(imageId);
      if (found == ready_.end() && ready_.size() >= kMostImages) return;
      if (found != ready_.end() && found->second.layers == spec.layers && found->second.berths.size() >= count) return;
    }
    try {
      Berth berth = makeBerth(spec, keeper_.bases, keeper_.layers, keeper_.places);
      try {
        copyAhead(berth, spec, written);
        failpoint("copy into berth");
      } catch (...) {
        scrap(berth, keeper_.layers, keeper_.janitor, keeper_.places);
        throw;
      }
      std::lock_guard lock(mutex_);
      Ready& ready = ready_[imageId];
      if (ready.layers != spec.layers) {
        for (const auto& old : ready.berths) scrap(old, keeper_.layers, keeper_.janitor, keeper_.places);
        ready.berths.clear();
        ready.layers = spec.layers;
      }
      ready.berths.push_back(std::move(berth));
    } catch (const Error& error) {
      std::fprintf(stderr, "make a berth for image %s: %s\n", imageId.c_str(), error.what());
      return;
    }
  }
}

void Berths::drop(const std::string& imageId) {
  std::lock_guard lock(mutex_);
  auto found = ready_.find(imageId);
  if (found == ready_.end()) return;
  for (const auto& berth : found->second.berths) scrap(berth, keeper_.layers, keeper_.janitor, keeper_.places);
  ready_.erase(found);
}

void Berths::close() {
  std::lock_guard lock(mutex_);
  for (const auto& [id, ready] : ready_) {
    for (const auto& berth : ready.berths) scrap(berth, keeper_.layers, keeper_.janitor, keeper_.places);
  }
  ready_.clear();
}

}  // namespace appshot
