// Which addresses an engine that was given none uses: a /24 of its own out of 10.213.0.0/16, claimed by a file under
// /run/appshot/pools, so that engines on one machine do not get in each other's way.
#pragma once

#include <netinet/in.h>

#include <string>
#include <vector>

namespace appshot {

// Claims a /24 for the engine directory, the one that it has already if it has one. Returns its prefix ("10.213.7").
// Throws Error `no-address`.
std::string claimAddresses(const std::string& engine, const std::string& owner);
void releaseAddresses(const std::string& prefix);
// The 253 usable addresses of a claimed prefix.
std::vector<in_addr> addressesOf(const std::string& prefix);

}  // namespace appshot
