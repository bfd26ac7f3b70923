#include "core/pod/address_pool.h"

#include <algorithm>

#include "core/sys/sys.h"

namespace appshot {

void AddressPool::configure(const std::vector<in_addr>& addresses) {
  std::set<uint32_t> next;
  for (in_addr address : addresses) next.insert(address.s_addr);
  std::erase_if(free_, [&](uint32_t address) { return next.count(address) == 0; });
  for (in_addr address : addresses) {
    bool isNew = known_.count(address.s_addr) == 0 && taken_.count(address.s_addr) == 0;
    if (isNew && std::find(free_.begin(), free_.end(), address.s_addr) == free_.end()) free_.push_back(address.s_addr);
  }
  known_ = std::move(next);
  if (!known_.empty()) return;
  // The engine's owner gives all its addresses away.
  for (uint32_t address : kept_) taken_.erase(address);
  held_.clear();
  kept_.clear();
}

template <typename Ends>
void AddressPool::endHolds(Ends ends) {
  for (auto at = held_.begin(); at != held_.end();) {
    if (!ends(at->second)) {
      ++at;
      continue;
    }
    uint32_t address = at->first;
    at = held_.erase(at);
    if (kept_.erase(address)) giveBack({address});
  }
}

void AddressPool::releaseOld() {
  endHolds([now = monotonicUs()](const HeldAddress& held) { return held.untilUs <= now; });
}

void AddressPool::endHold(const std::string& image) {
  endHolds([&](const HeldAddress& held) { return held.image == image; });
}

void AddressPool::endHoldsBut(const std::vector<in_addr>& these) {
  auto isAmong = [&](in_addr wanted) {
    return std::any_of(these.begin(), these.end(), [&](in_addr each) { return each.s_addr == wanted.s_addr; });
  };
  endHolds([&](const HeldAddress& held) { return !isAmong(held.address); });
}

void AddressPool::hold(const HeldAddress& held) {
  uint32_t address = held.address.s_addr;
  held_[address] = held;
  if (!taken_.insert(address).second) return;
  std::erase(free_, address);
  kept_.insert(address);
}

std::vector<HeldAddress> AddressPool::held() {
  releaseOld();
  std::vector<HeldAddress> all;
  for (const auto& [address, held] : held_) all.push_back(held);
  return all;
}

bool AddressPool::claim(in_addr address) {
  bool isFree = contains(address) && std::erase(free_, address.s_addr) > 0;
  if (!isFree && kept_.erase(address.s_addr) == 0) return false;
  held_.erase(address.s_addr);
  taken_.insert(address.s_addr);
  return true;
}

std::optional<in_addr> AddressPool::take() {
  releaseOld();
  if (free_.empty()) return std::nullopt;
  in_addr address{free_.front()};
  free_.pop_front();
  taken_.insert(address.s_addr);
  return address;
}

void AddressPool::markTaken(in_addr address) {
  std::erase(free_, address.s_addr);
  taken_.insert(address.s_addr);
}

void AddressPool::giveBack(in_addr address) {
  if (held_.count(address.s_addr)) {
    kept_.insert(address.s_addr);
    return;
  }
  if (taken_.erase(address.s_addr) == 0) return;
  if (known_.count(address.s_addr)) free_.push_back(address.s_addr);
}

}  // namespace appshot
