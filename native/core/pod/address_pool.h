// The addresses that an engine may give to its pods.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <vector>

namespace appshot {

// Gives the address that has been free for the longest, so that a late packet for an instance that is gone meets nobody.
// Not for several threads.
class AddressPool {
 public:
  // Replaces the set. Addresses in use that are not among them are not taken up again when they come back.
  void configure(const std::vector<in_addr>& addresses);
  std::optional<in_addr> take();
  // An adopted pod has it.
  void markTaken(in_addr address);
  void giveBack(in_addr address);
  bool contains(in_addr address) const { return known_.count(address.s_addr) > 0; }
  size_t free() const { return free_.size(); }

 private:
  std::set<uint32_t> known_;
  std::set<uint32_t> taken_;
  std::deque<uint32_t> free_;
};

}  // namespace appshot
