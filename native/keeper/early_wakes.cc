#include "keeper/early_wakes.h"

#include <chrono>

#include "core/sys/sys.h"
#include "keeper/arrival.h"
#include "keeper/keeper.h"

namespace appshot {

namespace {

constexpr size_t kMost = 8;
// Whoever decides has done so long before, or never will.
constexpr double kHeldForUs = 2e6;

}  // namespace

bool EarlyWakes::enter(const std::string& aid) {
  std::lock_guard lock(mutex_);
  if (closing_ || entries_.size() >= kMost || !entries_.try_emplace(aid).second) return false;
  if (!thread_.joinable()) thread_ = std::thread([this] { giveUpLate(); });
  return true;
}

// Connections to the outside would be cut for good.
bool EarlyWakes::mayBeGivenUp(const std::string& aid) { return addressOfConnections(*keeper_.images.open(aid)).s_addr == 0; }

EarlyWake EarlyWakes::make(const std::string& aid) {
  EarlyWake early;
  early.urgent = std::make_unique<Quiet::Urgent>(keeper_.quiet);
  early.instance = std::make_shared<Instance>();
  early.instance->aid = aid;
  early.instance->image = aid;
  try {
    early.wake = beginWake(keeper_, *early.instance);
    early.wake->awaitRoot();
    early.wake->awaitFiles();
  } catch (...) {
    keeper_.dismantle(early.instance);
    throw;
  }
  return early;
}

std::optional<in_addr> EarlyWakes::begin(const std::string& aid) {
  if (!enter(aid)) return std::nullopt;
  EarlyWake early;
  auto leave = [&] {
    std::lock_guard lock(mutex_);
    entries_.erase(aid);
    changed_.notify_all();
  };
  try {
    // After it has entered: who adds it to the table from now on finds the entry.
    if (keeper_.instances.find(aid) || !mayBeGivenUp(aid)) {
      leave();
      return std::nullopt;
    }
    early = make(aid);
  } catch (...) {
    leave();
    throw;
  }
  in_addr address = early.instance->pod->farmIp;
  std::lock_guard lock(mutex_);
  Entry& entry = entries_.at(aid);
  entry.wake = std::move(early);
  entry.untilUs = monotonicUs() + kHeldForUs;
  entry.stage = Stage::kHeld;
  changed_.notify_all();
  return address;
}

std::optional<EarlyWake> EarlyWakes::take(const std::string& aid) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    auto found = entries_.find(aid);
    return found == entries_.end() || found->second.stage == Stage::kHeld;
  });
  auto found = entries_.find(aid);
  if (found == entries_.end()) return std::nullopt;
  EarlyWake early = std::move(found->second.wake);
  entries_.erase(found);
  return early;
}

// What it stands in the way of waits until it is gone: both use the files of that name.
void EarlyWakes::giveUp(std::unique_lock<std::mutex>& lock, Entries::iterator entry) {
  entry->second.stage = Stage::kEnding;
  std::string aid = entry->first;
  EarlyWake early = std::move(entry->second.wake);
  lock.unlock();
  keeper_.dismantle(early.instance);
  prepareArrivals(keeper_, aid, true);
  lock.lock();
  entries_.erase(aid);
  changed_.notify_all();
}

void EarlyWakes::giveUpLate() {
  std::unique_lock lock(mutex_);
  while (!closing_) {
    auto next = entries_.end();
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      if (entry->second.stage == Stage::kHeld && (next == entries_.end() || entry->second.untilUs < next->second.untilUs)) next = entry;
    }
    if (next == entries_.end()) {
      changed_.wait(lock);
      continue;
    }
    double leftUs = next->second.untilUs - monotonicUs();
    if (leftUs <= 0) giveUp(lock, next);
    else changed_.wait_for(lock, std::chrono::microseconds(static_cast<int64_t>(leftUs) + 1));
  }
}

void EarlyWakes::close() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  for (auto& [aid, entry] : entries_) keeper_.dismantle(entry.wake.instance);
  entries_.clear();
}

}  // namespace appshot
