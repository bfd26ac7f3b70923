// A small writer of rtnetlink messages, and the socket that sends them. No `ip` process on any path.
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/sys/unique_fd.h"

namespace appshot {

// One message being written. Attributes may be nested.
class NetlinkMessage {
 public:
  NetlinkMessage(uint16_t type, uint16_t flags);

  template <typename Header>
  NetlinkMessage& header(const Header& value) { return append(&value, sizeof value); }

  NetlinkMessage& attribute(uint16_t type, const void* value, size_t bytes);
  NetlinkMessage& attribute(uint16_t type, uint32_t value) { return attribute(type, &value, sizeof value); }
  NetlinkMessage& attribute(uint16_t type, in_addr value) { return attribute(type, &value, sizeof value); }
  NetlinkMessage& attribute(uint16_t type, std::string_view text);      // with its terminating zero
  NetlinkMessage& nested(uint16_t type, const std::function<void(NetlinkMessage&)>& content);
  // A fixed structure inside a nested attribute (the peer of a veth has one).
  NetlinkMessage& append(const void* value, size_t bytes);

  // The finished bytes, with `sequence` filled in.
  const std::vector<char>& finish(uint32_t sequence);

 private:
  std::vector<char> bytes_;
};

class NetlinkSocket {
 public:
  // Of the network namespace that the calling thread is in.
  static NetlinkSocket open();

  // Sends and waits for the kernel's answer. Throws Error "STEP: reason".
  void request(NetlinkMessage message, const std::string& step);
  // As request(), but returns the errno instead of throwing.
  int tryRequest(NetlinkMessage message, const std::string& step);
  // Calls `onLink(index, name)` for every interface.
  void links(const std::function<void(int, const std::string&)>& onLink);
  // Calls `onAddress` for every single IPv4 address to which a route of this metric says unreachable.
  void unreachables(uint32_t metric, const std::function<void(in_addr)>& onAddress);

 private:
  // Asks for all that there is of something: one call for each message of the answer.
  void dump(NetlinkMessage message, const std::string& step, const std::function<void(nlmsghdr*)>& onMessage);

  UniqueFd fd_;
  uint32_t sequence_ = 0;
};

}  // namespace appshot
