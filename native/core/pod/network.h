// The node's side of the pods' network: one veth pair and one host route a pod, the packet filter and the unreachable routes
// of the owner's addresses.
//
// A pod has one address (/32), its farm IP, and one neighbour, 169.254.1.1, which is the node. Both sides have permanent
// neighbour entries, so that nobody ever asks by ARP and the first packet leaves at once.
#pragma once

#include <netinet/in.h>
#include <sys/types.h>

#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace appshot {

struct Pod;

class NodeNetwork {
 public:
  explicit NodeNetwork(std::string owner) : owner_(std::move(owner)) {}

  // Installs the packet filter: pods answer the node and nobody else, and open nothing.
  void start();
  // From now on what pods send to beyond the node is let through, masqueraded, and so is what is answered: which costs the machine
  // connection tracking, so it is not there before it is asked for. Only pods that were let out have a way there.
  void openOutward();
  // Gives a pod the way out.
  void letOut(const Pod& pod);
  // Makes packets to these addresses end here while no pod has them, so that those for a removed instance never leave the
  // machine. Replaces what an earlier call said.
  void reserve(const std::vector<in_addr>& addresses);
  // Gives the pod its interface, address, routes and neighbours. `init` lives in the pod's network namespace.
  // Throws Error with EEXIST when somebody else on this machine has the address.
  void connectPod(unsigned number, pid_t init, int initPidfd, in_addr address) const;
  void disconnectPod(unsigned number) const;
  // While `silent` no packet reaches the pod at this address; what leaves it still does.
  void silencePod(unsigned number, in_addr address, bool silent) const;
  // Packets for `address` go to the pod from now on, rather than those for the one that it was connected with. That it takes the
  // address is for somebody inside to do.
  void readdressPod(const Pod& pod, in_addr address) const;
  // Numbers of pods that have an interface, whoever made it.
  std::vector<unsigned> numbers() const;
  void close();

 private:
  std::string owner_;
  std::mutex outward_;
  bool isOpenOutward_ = false;
  std::set<uint32_t> reserved_;
};

std::string textOf(in_addr address);
// Throws Error `bad-request`.
in_addr addressOf(const std::string& text);

}  // namespace appshot
