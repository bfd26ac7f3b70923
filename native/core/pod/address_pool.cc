#include "core/pod/address_pool.h"

#include <algorithm>

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
}

std::optional<in_addr> AddressPool::take() {
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
  if (taken_.erase(address.s_addr) == 0) return;
  if (known_.count(address.s_addr)) free_.push_back(address.s_addr);
}

}  // namespace appshot
