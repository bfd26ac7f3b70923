// The part of FileCollector that knows sockets.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "core/snapshot/collect_files.h"
#include "core/snapshot/unix_peers.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

template <typename Value>
Value option(int fd, int level, int name, Value fallback) {
  Value value = fallback;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, level, name, &value, &size) == 0 ? value : fallback;
}

std::string localAddress(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) < 0) return {};
  return std::string(reinterpret_cast<char*>(&address), size);
}

std::string peerAddress(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) < 0) return {};
  return std::string(reinterpret_cast<char*>(&address), size);
}

// Options that servers set, kept where they are not zero.
void collectOptions(int fd, OpenFile& file) {
  static constexpr std::pair<int, int> kGeneral[] = {{SOL_SOCKET, SO_REUSEADDR}, {SOL_SOCKET, SO_REUSEPORT}, {SOL_SOCKET, SO_KEEPALIVE},
                                                     {SOL_SOCKET, SO_BROADCAST}, {SOL_SOCKET, SO_PASSCRED}, {SOL_SOCKET, SO_TIMESTAMP}};
  static constexpr std::pair<int, int> kTcp[] = {{IPPROTO_TCP, TCP_NODELAY}, {IPPROTO_TCP, TCP_DEFER_ACCEPT}, {IPPROTO_TCP, TCP_FASTOPEN},
                                                 {IPPROTO_TCP, TCP_USER_TIMEOUT}};
  auto put = [&](int level, int name, const auto& value) {
    file.options.push_back({level, name, std::string(reinterpret_cast<const char*>(&value), sizeof value)});
  };
  auto keep = [&](int level, int name) {
    int value = option(fd, level, name, 0);
    if (value != 0) put(level, name, value);
  };
  auto keepUnless = [&](int usual, int level, int name) {
    int value = option(fd, level, name, usual);
    if (value != usual) put(level, name, value);
  };
  // Buffer sizes that the program chose itself; the kernel doubles what it is given.
  constexpr int kBufferLock = 72, kSendLocked = 1, kReceiveLocked = 2;  // SO_BUF_LOCK (5.14)
  int locked = option(fd, SOL_SOCKET, kBufferLock, 0);
  if (locked & kSendLocked) put(SOL_SOCKET, SO_SNDBUF, option(fd, SOL_SOCKET, SO_SNDBUF, 0) / 2);
  if (locked & kReceiveLocked) put(SOL_SOCKET, SO_RCVBUF, option(fd, SOL_SOCKET, SO_RCVBUF, 0) / 2);
  for (int name : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    timeval limit = option(fd, SOL_SOCKET, name, timeval{});
    if (limit.tv_sec != 0 || limit.tv_usec != 0) put(SOL_SOCKET, name, limit);
  }
  for (auto [level, name] : kGeneral) keep(level, name);
  if (file.family != AF_INET && file.family != AF_INET6) return;
  if (file.family == AF_INET6) {
    int only = option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    file.options.push_back({IPPROTO_IPV6, IPV6_V6ONLY, std::string(reinterpret_cast<char*>(&only), sizeof only)});
  }
  keepUnless(64, IPPROTO_IP, IP_TTL);
  keepUnless(0, IPPROTO_IP, IP_TOS);
  if (file.socketType == SOCK_STREAM) {
    for (auto [level, name] : kTcp) keep(level, name);
    keepUnless(7200, IPPROTO_TCP, TCP_KEEPIDLE);
    keepUnless(75, IPPROTO_TCP, TCP_KEEPINTVL);
    keepUnless(9, IPPROTO_TCP, TCP_KEEPCNT);
  }
  linger on = option(fd, SOL_SOCKET, SO_LINGER, linger{});
  if (on.l_onoff) file.options.push_back({SOL_SOCKET, SO_LINGER, std::string(reinterpret_cast<char*>(&on), sizeof on)});
}

// Bytes waiting in a stream socket, left where they are; nothing when there is more than bytes.
std::optional<std::string> peekStream(int fd) {
  int queued = 0;
  if (::ioctl(fd, FIONREAD, &queued) < 0 || queued <= 0) return "";
  std::string bytes(static_cast<size_t>(queued), '\0');
  // A peek stops where descriptors were sent along, and gives copies of them: then there is more to it than bytes.
  iovec vector{bytes.data(), bytes.size()};
  alignas(cmsghdr) char control[256];
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t n = ::recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  bool carries = n < queued || (message.msg_flags & MSG_CTRUNC);
  for (cmsghdr* part = n < 0 ? nullptr : CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    carries = true;
    for (size_t at = 0; at + sizeof(int) <= part->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
      int copy;
      std::memcpy(&copy, CMSG_DATA(part) + at, sizeof copy);
      ::close(copy);
    }
  }
  if (carries) return std::nullopt;
  return bytes;
}

// Neither any address nor loopback: of a socket that was connected and has no peer any more, while its program has not closed it
// yet. (A pod that the instance wakes in has another address.)
bool isOfThisPod(const std::string& address) {
  if (address.size() >= sizeof(sockaddr_in6) && reinterpret_cast<const sockaddr_in6*>(address.data())->sin6_family == AF_INET6) {
    auto* six = reinterpret_cast<const sockaddr_in6*>(address.data());
    return !IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr) && !IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
  }
  if (address.size() < sizeof(sockaddr_in)) return false;
  uint32_t four = ntohl(reinterpret_cast<const sockaddr_in*>(address.data())->sin_addr.s_addr);
  return four != INADDR_ANY && four >> 24 != 127;
}

[[noreturn]] void refuse(int fd, const std::string& what) {
  throw Error("unsupported-state", "fd " + std::to_string(fd) + " is " + what + "; not supported");
}

}  // namespace

void FileCollector::describeSocket(const Opened& opened, OpenFile& file) {
  int fd = opened.here.get();
  file.family = option(fd, SOL_SOCKET, SO_DOMAIN, 0);
  file.socketType = option(fd, SOL_SOCKET, SO_TYPE, 0);
  file.protocol = option(fd, SOL_SOCKET, SO_PROTOCOL, 0);
  collectOptions(fd, file);
  file.localAddress = localAddress(fd);
  if (file.family == AF_UNIX) describeUnix(opened, file);
  else if (file.family == AF_INET || file.family == AF_INET6) describeInet(opened, file);
  else if (file.family == AF_NETLINK) file.kind = static_cast<uint32_t>(FileKind::Netlink);
  else refuse(opened.fd, "a socket of family " + std::to_string(file.family));
}

void FileCollector::describeInet(const Opened& opened, OpenFile& file) {
  int fd = opened.here.get();
  if (file.socketType == SOCK_DGRAM) {
    file.kind = static_cast<uint32_t>(FileKind::Udp);
    file.peerAddress = peerAddress(fd);
    return;
  }
  if (file.socketType != SOCK_STREAM) refuse(opened.fd, "a raw socket");
  if (option(fd, SOL_SOCKET, SO_ACCEPTCONN, 0)) {
    file.kind = static_cast<uint32_t>(FileKind::TcpListen);
    // For a listening socket the kernel gives the length of its queue here.
    file.backlog = static_cast<int32_t>(option(fd, IPPROTO_TCP, TCP_INFO, tcp_info{}).tcpi_sacked);
    return;
  }
  file.peerAddress = peerAddress(fd);
  bool ended = file.peerAddress.empty() && isOfThisPod(file.localAddress);
  file.kind = static_cast<uint32_t>(file.peerAddress.empty() && !ended ? FileKind::TcpOther : FileKind::TcpConnected);
}

void FileCollector::describeUnix(const Opened& opened, OpenFile& file) {
  int fd = opened.here.get();
  if (!unixPeersRead_) {
    unixPeers_ = readUnixPeers(podInit_);
    unixPeersRead_ = true;
  }
  if (option(fd, SOL_SOCKET, SO_ACCEPTCONN, 0)) {
    file.kind = static_cast<uint32_t>(FileKind::UnixListen);
    file.backlog = 511;
    auto listening = unixPeers_.find(opened.inode);
    if (listening != unixPeers_.end() && listening->second.waiting > 0) refuse(opened.fd, "a unix socket with connections that wait to be accepted");
    auto* address = reinterpret_cast<const sockaddr_un*>(file.localAddress.data());
    if (file.localAddress.size() > sizeof(sa_family_t) && address->sun_path[0] != '\0') {
      struct stat status{};
      std::string path = "/proc/" + std::to_string(opened.pid) + (address->sun_path[0] == '/' ? "/root" : "/cwd/") + address->sun_path;
      if (::stat(path.c_str(), &status) == 0) file.mode = status.st_mode & 07777;
    }
    return;
  }
  auto peer = unixPeers_.find(opened.inode);
  bool isPair = peer != unixPeers_.end() && (peer->second.inode != 0 || file.socketType != SOCK_DGRAM);
  file.kind = static_cast<uint32_t>(isPair ? FileKind::UnixPair : FileKind::UnixOther);
  if (isPair) {
    // 0: it was connected, and its peer is gone.
    file.object = objectNumber(peer->second.inode ? std::min<uint64_t>(opened.inode, peer->second.inode) : opened.inode);
    file.count = peer->second.shutdown;
  }
  if (file.socketType == SOCK_STREAM) {
    std::optional<std::string> waiting = peekStream(fd);
    if (!waiting) refuse(opened.fd, "a unix socket with descriptors on their way");
    file.contents = std::move(*waiting);
  } else {
    int queued = 0;
    if (::ioctl(fd, FIONREAD, &queued) == 0 && queued > 0) refuse(opened.fd, "a unix datagram socket with messages waiting");
  }
}

void FileCollector::resolveUnix() {
  for (uint32_t index = 0; index < state_.files.size(); index++) {
    OpenFile& file = state_.files[index];
    if (file.kind != static_cast<uint32_t>(FileKind::UnixPair)) continue;
    bool hasPeer = false;
    for (uint32_t other = 0; other < state_.files.size(); other++)
      if (other != index && state_.files[other].kind == file.kind && state_.files[other].object == file.object) {
        hasPeer = true;
        file.writeEnd = other < index;  // the second of the two
      }
    // Its peer is nobody's descriptor any more, or somebody outside: after a restore a stream still holds what had come, then
    // reads as closed. A datagram socket is made unconnected, as after a restart of the other side.
    if (!hasPeer && file.socketType == SOCK_DGRAM) file.kind = static_cast<uint32_t>(FileKind::UnixOther);
  }
}

}  // namespace appshot
