#include "core/snapshot/socket_reading.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include <cstdlib>
#include <cstring>
#include <sstream>

#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

std::string localAddressOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) < 0) return {};
  return std::string(reinterpret_cast<char*>(&address), size);
}

std::string peerAddressOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) < 0) return {};
  return std::string(reinterpret_cast<char*>(&address), size);
}

// "2\teth0 : 1 V3" and below it "\t\t\t\t010000E0 1 0:00000000 0": the group in the byte order of the wire.
std::vector<Membership> readMulticastGroups(pid_t pid) {
  std::vector<Membership> groups;
  std::istringstream lines(readFileIfThere("/proc/" + std::to_string(pid) + "/net/igmp"));
  uint32_t interface = 0;
  bool loopback = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == 'I') continue;
    if (line[0] != '\t') {
      interface = static_cast<uint32_t>(std::strtoul(line.c_str(), nullptr, 10));
      loopback = line.find("\tlo") != std::string::npos;
      continue;
    }
    auto group = static_cast<uint32_t>(std::strtoul(line.c_str() + line.find_first_not_of('\t'), nullptr, 16));
    if (group != htonl(INADDR_ALLHOSTS_GROUP)) groups.push_back({group, interface, loopback, 0, {}});
  }
  return groups;
}

void collectMemberships(int fd, const std::vector<Membership>& groups, OpenFile& file) {
  for (const Membership& group : groups) {
    constexpr uint32_t kMostSources = 64;
    std::vector<char> room(GROUP_FILTER_SIZE(kMostSources));
    auto* filter = reinterpret_cast<group_filter*>(room.data());
    filter->gf_interface = group.interface;
    filter->gf_numsrc = kMostSources;
    auto* address = reinterpret_cast<sockaddr_in*>(&filter->gf_group);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = group.group;
    auto size = static_cast<socklen_t>(room.size());
    if (::getsockopt(fd, IPPROTO_IP, MCAST_MSFILTER, filter, &size) < 0) continue;  // EADDRNOTAVAIL: not a member
    Membership mine = group;
    mine.mode = filter->gf_fmode;
    for (uint32_t i = 0; i < std::min(filter->gf_numsrc, kMostSources); i++)
      mine.sources.push_back(reinterpret_cast<sockaddr_in*>(&filter->gf_slist[i])->sin_addr.s_addr);
    file.memberships.push_back(std::move(mine));
  }
}

namespace {

// Peeks at an offset into what waits, and leaves the program's own setting as it was.
class PeekOffset {
 public:
  explicit PeekOffset(int fd) : fd_(fd), before_(socketOption(fd, SOL_SOCKET, SO_PEEK_OFF, -1)) {}
  ~PeekOffset() { ::setsockopt(fd_, SOL_SOCKET, SO_PEEK_OFF, &before_, sizeof before_); }
  PeekOffset(const PeekOffset&) = delete;
  PeekOffset& operator=(const PeekOffset&) = delete;
  void set(size_t offset) {
    int value = static_cast<int>(offset);
    sys("set where a socket is peeked at", [&] { return ::setsockopt(fd_, SOL_SOCKET, SO_PEEK_OFF, &value, sizeof value); });
  }

 private:
  int fd_, before_;
};

constexpr size_t kMostPassed = 253;  // SCM_MAX_FD

// Returns how long the message is (it may be longer than `room`), or -1 when nothing waits.
ssize_t peek(int fd, size_t room, WaitingMessage& message) {
  message.bytes.resize(room);
  message.passed.clear();
  sockaddr_storage from{};
  iovec vector{message.bytes.data(), room};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostPassed * sizeof(int)) + 512];
  msghdr header{};
  header.msg_name = &from;
  header.msg_namelen = sizeof from;
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t n;
  do n = ::recvmsg(fd, &header, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);
  while (n < 0 && errno == EINTR);
  if (n < 0) return -1;
  message.bytes.resize(std::min(room, static_cast<size_t>(n)));
  message.from.assign(reinterpret_cast<char*>(&from), header.msg_namelen);
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    for (size_t at = 0; at + sizeof(int) <= part->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
      int copy;
      std::memcpy(&copy, CMSG_DATA(part) + at, sizeof copy);
      message.passed.emplace_back(copy);
    }
  }
  return n;
}

// Of the sends that a peek of `bytes` bytes sees, how many bytes are from those before the last: a read into memory that ends one
// byte too early takes whole sends only.
size_t bytesBeforeLast(int fd, size_t bytes) {
  std::string room(bytes, '\0');
  iovec vectors[2] = {{room.data(), bytes - 1}, {reinterpret_cast<void*>(16), 1}};
  msghdr header{};
  header.msg_iov = vectors;
  header.msg_iovlen = 2;
  ssize_t n = ::recvmsg(fd, &header, MSG_PEEK | MSG_DONTWAIT);  // EFAULT: there is only one
  return n > 0 ? static_cast<size_t>(n) : 0;
}

}  // namespace

std::vector<WaitingMessage> peekDatagrams(int fd) {
  std::vector<WaitingMessage> messages;
  PeekOffset offset(fd);
  constexpr size_t kUsualRoom = 65536;
  // A seqpacket socket whose peer is gone gives empty messages without end.
  int queued = 0;
  bool isConnection = socketOption(fd, SOL_SOCKET, SO_TYPE, 0) == SOCK_SEQPACKET;
  if (isConnection && ::ioctl(fd, SIOCINQ, &queued) < 0) return messages;
  for (size_t at = 0; !isConnection || at < static_cast<size_t>(queued);) {
    WaitingMessage message;
    offset.set(at);
    ssize_t n = peek(fd, kUsualRoom, message);
    if (n < 0 && errno != EAGAIN) n = peek(fd, kUsualRoom, message);  // an error of an earlier message, told once
    if (n < 0) return messages;
    if (static_cast<size_t>(n) > kUsualRoom) {
      offset.set(at);
      if (peek(fd, static_cast<size_t>(n), message) != n) throw Error("internal", "a message changed while it was read");
    }
    at += static_cast<size_t>(n);
    messages.push_back(std::move(message));
  }
  return messages;
}

std::vector<WaitingMessage> peekFirst(int fd) {
  std::vector<WaitingMessage> first(1);
  if (socketOption(fd, SOL_SOCKET, SO_PEEK_OFF, -1) >= 0 || peek(fd, 1, first[0]) < 0) first.clear();
  return first;
}

std::vector<WaitingMessage> peekUnixStream(int fd) {
  std::vector<WaitingMessage> pieces;
  int queued = 0;
  if (::ioctl(fd, SIOCINQ, &queued) < 0 || queued <= 0) return pieces;
  PeekOffset offset(fd);
  for (size_t at = 0; at < static_cast<size_t>(queued);) {
    WaitingMessage piece;
    offset.set(at);
    if (peek(fd, static_cast<size_t>(queued) - at, piece) <= 0) break;
    size_t end = at + piece.bytes.size();
    // A read stops behind bytes that descriptors were sent with, but begins with any before them. A reader that takes those by
    // themselves must not lose the descriptors.
    offset.set(at);
    size_t without = piece.passed.empty() ? 0 : bytesBeforeLast(fd, piece.bytes.size());
    if (without > 0) {
      pieces.push_back({piece.bytes.substr(0, without), {}, {}});
      piece.bytes.erase(0, without);
    }
    pieces.push_back(std::move(piece));
    at = end;
  }
  return pieces;
}

std::string peekTcp(int fd) {
  int queued = 0;
  if (::ioctl(fd, SIOCINQ, &queued) < 0 || queued <= 0) return {};
  // Since Linux 6.9 TCP has an offset too, which a program may have set.
  int before = socketOption(fd, SOL_SOCKET, SO_PEEK_OFF, -1), none = -1;
  if (before >= 0) ::setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &none, sizeof none);
  std::string bytes(static_cast<size_t>(queued), '\0');
  ssize_t n = ::recv(fd, bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  if (before >= 0) ::setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &before, sizeof before);
  bytes.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return bytes;
}

}  // namespace appshot
