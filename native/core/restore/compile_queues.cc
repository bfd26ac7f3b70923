// What waits in sockets.
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "core/restore/socket_opener.h"
#include "core/snapshot/inet_address.h"

namespace appshot {

// `to`: where a socket that is not connected sends it.
void SocketOpener::send(const QueuedMessage& message, Slot from, uint64_t to, size_t toBytes) {
  msghdr header{};
  iovec vector{reinterpret_cast<void*>(bytes(message.bytes)), message.bytes.size()};
  header.msg_iov = reinterpret_cast<iovec*>(value(vector));
  header.msg_iovlen = 1;
  header.msg_name = reinterpret_cast<void*>(to);
  header.msg_namelen = static_cast<socklen_t>(toBytes);
  if (!message.files.empty()) {
    std::string control(CMSG_SPACE(message.files.size() * sizeof(int)), '\0');
    cmsghdr head{};
    head.cmsg_len = CMSG_LEN(message.files.size() * sizeof(int));
    head.cmsg_level = SOL_SOCKET;
    head.cmsg_type = SCM_RIGHTS;
    std::memcpy(control.data(), &head, sizeof head);
    uint64_t at = bytes(control);
    for (size_t i = 0; i < message.files.size(); i++)
      tape_.op(OP_STORE, "put in a descriptor", {at + CMSG_LEN(0) + i * sizeof(int), slotAt(message.files[i])});
    header.msg_control = reinterpret_cast<void*>(at);
    header.msg_controllen = control.size();
  }
  tape_.callExact("refill a socket", SYS_sendmsg, {from, value(header), MSG_DONTWAIT | MSG_NOSIGNAL}, message.bytes.size());
}

void SocketOpener::refill(uint32_t index) {
  const OpenFile& file = fileAt(index);
  auto peer = peers_.find(index);
  if (peer == peers_.end()) return refillNamed(index);
  size_t waiting = file.contents.size();
  for (const QueuedMessage& message : file.messages) waiting += message.bytes.size() + 1024;
  constexpr int kBufferLock = 72;  // SO_BUF_LOCK (5.14)
  // What waits counts for its sender, whose buffer may have been larger than a fresh one.
  bool isMuch = waiting > (64u << 10);
  if (isMuch) setOption(peer->second, SOL_SOCKET, SO_SNDBUFFORCE, static_cast<int>(waiting + (256u << 10)));
  if (!file.contents.empty()) tape_.callExact("refill a socket", SYS_sendto, {peer->second, bytes(file.contents), file.contents.size(), MSG_DONTWAIT, 0, 0}, file.contents.size());
  for (const QueuedMessage& message : file.messages) send(message, peer->second, 0, 0);
  if (isMuch) setOption(peer->second, SOL_SOCKET, kBufferLock, 0);
}

// Datagrams to a socket that anybody may send to. A sender that is gone had no name, or has none now.
void SocketOpener::refillNamed(uint32_t index) {
  const OpenFile& file = fileAt(index);
  if (file.messages.empty()) return;
  uint64_t to = bytes(file.localAddress);
  Slot nobody{};
  for (const QueuedMessage& message : file.messages) {
    Slot sender = senderOf(message);
    if (sender.number < 0 && nobody.number < 0) nobody = lift(tape_.call("make a socket", SYS_socket, {AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0}, true));
    send(message, sender.number < 0 ? nobody : sender, to, file.localAddress.size());
  }
  if (nobody.number >= 0) close(nobody);
}

// The socket of the instance that has the sender's name.
Slot SocketOpener::senderOf(const QueuedMessage& message) {
  if (message.from.size() <= sizeof(sa_family_t)) return Slot{};
  for (uint32_t index = 0; index < compiler_.state.files.size(); index++) {
    const OpenFile& file = fileAt(index);
    if (file.family == AF_UNIX && file.socketType == SOCK_DGRAM && file.localAddress == message.from && !(file.count & kShutSend)) return slotAt(index);
  }
  return Slot{};
}

// As packets, with the sender's address in them, whoever that was. Each is waited for: on a busy machine a packet may come to its
// socket later than the call that sent it returns, and meet what is set up next. But not an empty one, nor what is behind it: the kernel shows
// an empty datagram to who peeks only once, and that is the next snapshot.
void SocketOpener::refillUdp(uint32_t index) {
  const OpenFile& file = fileAt(index);
  auto local = inetAddressOf(file.localAddress);
  if (file.messages.empty() || !local) return;
  Slot slot = slotAt(index);
  size_t longest = 0;
  for (const QueuedMessage& message : file.messages) longest = std::max(longest, message.bytes.size());
  uint64_t room = compiler_.region.reserve(longest + 1);
  struct { int64_t seconds, micros; } patience{2, 0}, none{0, 0};
  tape_.call("wait in a UDP socket", SYS_fcntl, {slot, F_SETFL, 0});
  tape_.attempt("wait in a UDP socket", SYS_setsockopt, {slot, SOL_SOCKET, SO_RCVTIMEO, value(patience), sizeof patience});
  setOption(slot, SOL_SOCKET, SO_PEEK_OFF, 0);
  Slot raw = tape_.call("make a raw socket", SYS_socket, {AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW}, true);
  bool mayPeek = true;
  for (const QueuedMessage& message : file.messages) {
    auto from = inetAddressOf(message.from);
    if (!from) continue;
    bool isInside = from->isLoopback() || isOwn(*from);
    if (!isInside && compiler_.purpose == Purpose::Zygote) continue;  // meant for the clone's parent
    sendPacket(raw, message.bytes, *from, *local);
    mayPeek = mayPeek && !message.bytes.empty();
    if (mayPeek) tape_.attempt("wait for a datagram", SYS_recvfrom, {slot, room, longest + 1, MSG_PEEK, 0, 0});
  }
  close(raw);
  setOption(slot, SOL_SOCKET, SO_PEEK_OFF, -1);
  tape_.attempt("wait in a UDP socket", SYS_setsockopt, {slot, SOL_SOCKET, SO_RCVTIMEO, value(none), sizeof none});
}

void SocketOpener::sendPacket(Slot raw, const std::string& payload, const InetAddress& from, const InetAddress& local) {
  struct {
    iphdr ip;
    udphdr udp;
  } headers{};
  headers.ip.version = 4;
  headers.ip.ihl = 5;
  headers.ip.ttl = 64;
  headers.ip.protocol = IPPROTO_UDP;
  headers.ip.saddr = from.address;
  headers.ip.daddr = local.isAny() ? htonl(INADDR_LOOPBACK) : local.address;
  headers.udp.source = from.port;
  headers.udp.dest = local.port;
  headers.udp.len = htons(static_cast<uint16_t>(sizeof headers.udp + payload.size()));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = headers.ip.daddr;
  uint64_t packetAt = bytes(std::string(reinterpret_cast<char*>(&headers), sizeof headers) + payload), toAt = value(to);
  if (isOwn(from)) putOwnAddress(packetAt + offsetof(iphdr, saddr));
  if (isOwn(local)) putOwnAddress(packetAt + offsetof(iphdr, daddr));
  if (isOwn(local)) putOwnAddress(toAt + offsetof(sockaddr_in, sin_addr));
  tape_.attempt("refill a UDP socket", SYS_sendto, {raw, packetAt, sizeof headers + payload.size(), 0, toAt, sizeof to});
}

}  // namespace appshot
