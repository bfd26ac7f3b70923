// The addresses that an engine may give to its pods.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace appshot {

// An address that is kept for an instance that sleeps: it is given to nobody else.
struct HeldAddress {
  in_addr address{};
  std::string image;     // that it sleeps in
  double untilUs = 0;    // CLOCK_MONOTONIC
};

// Gives the address that has been free for the longest, so that a late packet for an instance that is gone meets nobody.
// Not for several threads.
class AddressPool {
 public:
  // Replaces the set. Without any, nothing is held any more. Addresses in use that are not among them are not taken up again when they come back.
  void configure(const std::vector<in_addr>& addresses);
  std::optional<in_addr> take();
  // An adopted pod has it.
  void markTaken(in_addr address);
  void giveBack(in_addr address);
  // One that a pod has is kept from when it is given back.
  void hold(const HeldAddress& held);
  // Who slept in this image does not come back, or not with what it needed the address for.
  void endHold(const std::string& image);
  // Those whose time has not passed.
  std::vector<HeldAddress> held();
  // The engine's owner has no others, but for those in use.
  void endHoldsBut(const std::vector<in_addr>& these);
  // Takes this address if it is held or free; false when somebody has it. One that is held need not be in the set.
  bool claim(in_addr address);
  bool contains(in_addr address) const { return known_.count(address.s_addr) > 0; }
  size_t free() const { return free_.size(); }

 private:
  void releaseOld();
  template <typename Ends>
  void endHolds(Ends ends);

  std::set<uint32_t> known_;
  std::set<uint32_t> taken_;
  std::map<uint32_t, HeldAddress> held_;
  std::set<uint32_t> kept_;           // those of them that were given back
  std::deque<uint32_t> free_;
};

}  // namespace appshot
