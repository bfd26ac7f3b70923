#include <linux/filter.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/snapshot/closed_doors.h"
#include "core/snapshot/socket_reading.h"
#include "core/sys/error.h"

namespace appshot {

namespace {

using OptionName = std::pair<int, int>;

// Kept where they are not zero.
constexpr OptionName kGeneral[] = {
    {SOL_SOCKET, SO_REUSEADDR}, {SOL_SOCKET, SO_REUSEPORT}, {SOL_SOCKET, SO_KEEPALIVE}, {SOL_SOCKET, SO_BROADCAST},
    {SOL_SOCKET, SO_PASSCRED}, {SOL_SOCKET, SO_TIMESTAMP}, {SOL_SOCKET, SO_TIMESTAMPNS}, {SOL_SOCKET, SO_PRIORITY},
    {SOL_SOCKET, SO_OOBINLINE}, {SOL_SOCKET, SO_DONTROUTE}, {SOL_SOCKET, SO_ZEROCOPY}};
constexpr OptionName kInet[] = {
    {IPPROTO_IP, IP_PKTINFO}, {IPPROTO_IP, IP_RECVTTL}, {IPPROTO_IP, IP_RECVTOS}, {IPPROTO_IP, IP_RECVERR}, {IPPROTO_IP, IP_RECVORIGDSTADDR},
    {IPPROTO_IP, IP_FREEBIND}, {IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT}};
constexpr OptionName kInet6[] = {
    {IPPROTO_IPV6, IPV6_RECVPKTINFO}, {IPPROTO_IPV6, IPV6_RECVHOPLIMIT}, {IPPROTO_IPV6, IPV6_RECVTCLASS}, {IPPROTO_IPV6, IPV6_RECVERR}};
constexpr OptionName kTcp[] = {
    {IPPROTO_TCP, TCP_NODELAY}, {IPPROTO_TCP, TCP_CORK}, {IPPROTO_TCP, TCP_DEFER_ACCEPT}, {IPPROTO_TCP, TCP_FASTOPEN},
    {IPPROTO_TCP, TCP_FASTOPEN_CONNECT}, {IPPROTO_TCP, TCP_USER_TIMEOUT}, {IPPROTO_TCP, TCP_INQ}};
constexpr OptionName kNetlink[] = {
    {SOL_NETLINK, NETLINK_PKTINFO}, {SOL_NETLINK, NETLINK_BROADCAST_ERROR}, {SOL_NETLINK, NETLINK_NO_ENOBUFS},
    {SOL_NETLINK, NETLINK_CAP_ACK}, {SOL_NETLINK, NETLINK_EXT_ACK}, {SOL_NETLINK, NETLINK_GET_STRICT_CHK}};

struct Usual {
  int level, name, value;
};
// Kept where they differ from this.
constexpr Usual kGeneralUsual[] = {{SOL_SOCKET, SO_RCVLOWAT, 1}, {SOL_SOCKET, SO_PEEK_OFF, -1}};
constexpr Usual kInetUsual[] = {{IPPROTO_IP, IP_TTL, 64}, {IPPROTO_IP, IP_TOS, 0}};
constexpr Usual kTcpUsual[] = {{IPPROTO_TCP, TCP_KEEPIDLE, 7200}, {IPPROTO_TCP, TCP_KEEPINTVL, 75}, {IPPROTO_TCP, TCP_KEEPCNT, 9}};
constexpr Usual kDatagramUsual[] = {
    {IPPROTO_IP, IP_MULTICAST_TTL, 1}, {IPPROTO_IP, IP_MULTICAST_LOOP, 1}, {IPPROTO_IP, IP_MULTICAST_ALL, 1},
    {IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT}};

class OptionCollector {
 public:
  OptionCollector(int fd, OpenFile& file) : fd_(fd), file_(file) {}

  template <typename Value>
  void put(int level, int name, const Value& value) {
    file_.options.push_back({level, name, std::string(reinterpret_cast<const char*>(&value), sizeof value)});
  }
  template <size_t N>
  void keepSet(const OptionName (&names)[N]) {
    for (auto [level, name] : names) keepUnless({level, name, 0});
  }
  template <size_t N>
  void keepUnusual(const Usual (&options)[N]) {
    for (const Usual& usual : options) keepUnless(usual);
  }

  void keepBuffers() {
    // Buffer sizes that the program chose itself; the kernel doubles what it is given.
    constexpr int kBufferLock = 72, kSendLocked = 1, kReceiveLocked = 2;  // SO_BUF_LOCK (5.14)
    int locked = socketOption(fd_, SOL_SOCKET, kBufferLock, 0);
    if (locked & kSendLocked) put(SOL_SOCKET, SO_SNDBUF, socketOption(fd_, SOL_SOCKET, SO_SNDBUF, 0) / 2);
    if (locked & kReceiveLocked) put(SOL_SOCKET, SO_RCVBUF, socketOption(fd_, SOL_SOCKET, SO_RCVBUF, 0) / 2);
  }
  void keepTimes() {
    for (int name : {SO_RCVTIMEO, SO_SNDTIMEO}) {
      timeval limit = socketOption(fd_, SOL_SOCKET, name, timeval{});
      if (limit.tv_sec != 0 || limit.tv_usec != 0) put(SOL_SOCKET, name, limit);
    }
    linger on = socketOption(fd_, SOL_SOCKET, SO_LINGER, linger{});
    if (on.l_onoff) put(SOL_SOCKET, SO_LINGER, on);
  }
  // Options whose value is a name.
  void keepText(int level, int name, const std::string& usual) {
    char value[64]{};
    socklen_t size = sizeof value;
    if (::getsockopt(fd_, level, name, value, &size) < 0 || size == 0 || value[0] == '\0' || std::string(value) == usual) return;
    file_.options.push_back({level, name, std::string(value, ::strnlen(value, size) + 1)});
  }

 private:
  void keepUnless(const Usual& usual) {
    int value = socketOption(fd_, usual.level, usual.name, usual.value);
    if (value != usual.value) put(usual.level, usual.name, value);
  }

  int fd_;
  OpenFile& file_;
};

// The node's own choice, which every new socket gets.
const std::string& usualCongestionControl() {
  static const std::string usual = [] {
    UniqueFd fresh(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    char name[64]{};
    socklen_t size = sizeof name;
    ::getsockopt(fresh.get(), IPPROTO_TCP, TCP_CONGESTION, name, &size);
    return std::string(name, ::strnlen(name, sizeof name));
  }();
  return usual;
}

// The classic filter that was attached; one made of BPF cannot be read.
void collectFilter(int fd, int descriptor, OpenFile& file) {
  socklen_t count = 0;  // of instructions, not of bytes
  if (::getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, nullptr, &count) < 0) {
    if (errno == EACCES) throw Error("unsupported-state", "fd " + std::to_string(descriptor) + " is a socket with a BPF program attached; not supported");
    return;
  }
  if (count == 0) return;
  std::string code(count * sizeof(sock_filter), '\0');
  if (::getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, code.data(), &count) < 0) return;
  if (isClosedDoor(code)) return;
  file.options.push_back({SOL_SOCKET, SO_ATTACH_FILTER, code});
  int locked = socketOption(fd, SOL_SOCKET, SO_LOCK_FILTER, 0);
  if (locked) file.options.push_back({SOL_SOCKET, SO_LOCK_FILTER, std::string(reinterpret_cast<char*>(&locked), sizeof locked)});
}

void collectMulticastInterface(int fd, OptionCollector& options) {
  in_addr interface = socketOption(fd, IPPROTO_IP, IP_MULTICAST_IF, in_addr{});
  if (interface.s_addr != 0) options.put(IPPROTO_IP, IP_MULTICAST_IF, interface);
}

}  // namespace

void collectSocketOptions(int fd, int descriptor, OpenFile& file) {
  OptionCollector options(fd, file);
  options.keepBuffers();
  options.keepTimes();
  options.keepSet(kGeneral);
  options.keepUnusual(kGeneralUsual);
  if (file.family == AF_NETLINK) options.keepSet(kNetlink);
  if (file.family == AF_INET6) options.put(IPPROTO_IPV6, IPV6_V6ONLY, socketOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0));
  if (file.family == AF_INET6) options.keepSet(kInet6);
  if (file.family == AF_INET || file.family == AF_INET6) {
    options.keepText(SOL_SOCKET, SO_BINDTODEVICE, "");
    options.keepSet(kInet);
    options.keepUnusual(kInetUsual);
    if (file.socketType == SOCK_STREAM) {
      options.keepSet(kTcp);
      options.keepUnusual(kTcpUsual);
      options.keepText(IPPROTO_TCP, TCP_CONGESTION, usualCongestionControl());
    } else {
      options.keepUnusual(kDatagramUsual);
      collectMulticastInterface(fd, options);
    }
  }
  collectFilter(fd, descriptor, file);
}

}  // namespace appshot
