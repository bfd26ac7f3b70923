// Addresses of IPv4 and of IPv4 inside of IPv6, as they stand in a sockaddr.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <tuple>

namespace appshot {

struct InetAddress {
  uint32_t address = 0;  // in the byte order of the wire, as `port`
  uint16_t port = 0;
  auto operator<=>(const InetAddress&) const = default;
  bool isAny() const { return address == htonl(INADDR_ANY); }
  bool isLoopback() const { return ntohl(address) >> 24 == 127; }
};

// Nothing for an IPv6 address proper (but the unspecified one, which stands for any IPv4 address too) and what is no address.
inline std::optional<InetAddress> inetAddressOf(const std::string& bytes) {
  sockaddr_in6 six{};
  if (bytes.size() >= sizeof(sockaddr_in) && reinterpret_cast<const sockaddr*>(bytes.data())->sa_family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, bytes.data(), sizeof four);
    return InetAddress{four.sin_addr.s_addr, four.sin_port};
  }
  if (bytes.size() < sizeof six || reinterpret_cast<const sockaddr*>(bytes.data())->sa_family != AF_INET6) return std::nullopt;
  std::memcpy(&six, bytes.data(), sizeof six);
  if (IN6_IS_ADDR_UNSPECIFIED(&six.sin6_addr)) return InetAddress{htonl(INADDR_ANY), six.sin6_port};
  if (!IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) return std::nullopt;
  InetAddress address{0, six.sin6_port};
  std::memcpy(&address.address, six.sin6_addr.s6_addr + 12, sizeof address.address);
  return address;
}

// Where in the sockaddr the IPv4 address stands; only for what inetAddressOf() knows.
inline size_t inetAddressOffset(const std::string& bytes) {
  return reinterpret_cast<const sockaddr*>(bytes.data())->sa_family == AF_INET ? offsetof(sockaddr_in, sin_addr) : offsetof(sockaddr_in6, sin6_addr) + 12;
}

}  // namespace appshot
