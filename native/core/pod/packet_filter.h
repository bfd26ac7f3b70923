// The nftables table of one owner.
#pragma once

#include <string>

namespace appshot {

// Pods may answer the node, over TCP; they open no connection, neither to the node nor to each other. With `egress` they may
// open connections to what is beyond the node, masqueraded.
// Stateless on purpose: a rule with connection tracking would slow every packet of the machine down.
void installPacketFilter(const std::string& owner, bool egress);
void removePacketFilter(const std::string& owner);

}  // namespace appshot
