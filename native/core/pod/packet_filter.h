// The nftables table of one owner.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace appshot {

// Pods may answer the node, over TCP; they open no connection, neither to the node nor to each other. With `egress` those
// that have a route may open connections to what is beyond the node, masqueraded.
// Stateless on purpose: a rule with connection tracking would slow every packet of the machine down.
void installPacketFilter(const std::string& owner, bool egress);
void removePacketFilter(const std::string& owner);

struct Pod;
// Who is outside of the pod is refused at these ports, over TCP and UDP, for as long as there is the pod. Takes some milliseconds.
void keepPortsInside(const Pod& pod, const std::vector<uint16_t>& ports);

}  // namespace appshot
