#include "core/launch/listeners.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr unsigned kListenState = 10;  // TCP_LISTEN in the kernel's tcp_states.h

std::string numbersOf(const std::vector<Listener>& listeners) {
  std::vector<int> ports;
  for (const Listener& each : listeners) ports.push_back(each.port);
  std::sort(ports.begin(), ports.end());
  ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
  std::string text;
  for (int port : ports) text += (text.empty() ? "" : ", ") + std::to_string(port);
  return text;
}

Listener listenerAt(const in_addr& address, int port) {
  char text[INET_ADDRSTRLEN];
  ::inet_ntop(AF_INET, &address, text, sizeof text);
  auto reach = address.s_addr == 0 ? Listener::Reach::kAnywhere : *reinterpret_cast<const uint8_t*>(&address) == 127 ? Listener::Reach::kLoopback : Listener::Reach::kOneAddress;
  return {reach, text, port};
}

Listener listenerAt(const in6_addr& address, int port) {
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    in_addr inner;
    std::memcpy(&inner, address.s6_addr + 12, sizeof inner);
    return listenerAt(inner, port);
  }
  char text[INET6_ADDRSTRLEN];
  ::inet_ntop(AF_INET6, &address, text, sizeof text);
  auto reach = IN6_IS_ADDR_UNSPECIFIED(&address) ? Listener::Reach::kAnywhereIpv6 : IN6_IS_ADDR_LOOPBACK(&address) ? Listener::Reach::kLoopback : Listener::Reach::kOneAddress;
  return {reach, std::string("[") + text + "]", port};
}

// Lines as `0: 0100007F:0BB8 00000000:0000 0A …`: each four bytes of the address are a number as this machine keeps it.
void readTable(const std::string& table, std::vector<Listener>& to) {
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    char address[33];
    unsigned port = 0, state = 0;
    if (std::sscanf(line.c_str(), " %*u: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x", address, &port, &state) != 3 || state != kListenState) continue;
    uint32_t words[4] = {};
    size_t count = std::strlen(address) / 8;
    for (size_t i = 0; i < count; ++i) words[i] = static_cast<uint32_t>(std::stoul(std::string(address + i * 8, 8), nullptr, 16));
    in_addr four{words[0]};
    in6_addr six;
    std::memcpy(&six, words, sizeof six);
    to.push_back(count == 1 ? listenerAt(four, static_cast<int>(port)) : listenerAt(six, static_cast<int>(port)));
  }
}

}  // namespace

std::vector<Listener> listenersIn(const std::string& tcp, const std::string& tcp6) {
  std::vector<Listener> found;
  readTable(tcp, found);
  readTable(tcp6, found);
  return found;
}

std::string whyUnreachable(const std::vector<Listener>& listeners, int port) {
  if (listeners.empty()) return "it listens on no TCP port";
  auto there = std::find_if(listeners.begin(), listeners.end(), [&](const Listener& each) { return each.port == port; });
  if (there == listeners.end()) return "it listens on " + numbersOf(listeners) + ", not on that port: name the one that it listens on, or have it take the one in the variable PORT";
  std::string where = "it listens on " + there->address + ":" + std::to_string(port);
  switch (there->reach) {
    case Listener::Reach::kLoopback: return where + ", which nobody reaches from outside: have it listen on 0.0.0.0";
    case Listener::Reach::kOneAddress: return where + " only, and instances get addresses of their own: have it listen on 0.0.0.0";
    case Listener::Reach::kAnywhereIpv6: return where + ", perhaps for IPv6 alone, which instances do not have: have it listen on 0.0.0.0";
    case Listener::Reach::kAnywhere: break;
  }
  return where + ", but takes no connections";
}

std::string whyUnreachable(int pid, int port) {
  std::string net = "/proc/" + std::to_string(pid) + "/net/";
  return whyUnreachable(listenersIn(readFileIfThere(net + "tcp"), readFileIfThere(net + "tcp6")), port);
}

}  // namespace appshot
