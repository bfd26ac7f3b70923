#include <fcntl.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "core/restore/socket_opener.h"
#include "core/snapshot/inet_address.h"
#include "core/sys/error.h"

namespace appshot {

bool SocketOpener::knows(FileKind kind) {
  switch (kind) {
    case FileKind::UnixPair:
    case FileKind::UnixListen:
    case FileKind::UnixOther:
    case FileKind::TcpListen:
    case FileKind::TcpConnected:
    case FileKind::TcpOther:
    case FileKind::TcpPair:
    case FileKind::TcpEnded:
    case FileKind::Udp:
    case FileKind::Netlink: return true;
    default: return false;
  }
}

void SocketOpener::open(uint32_t index) {
  switch (kindOf(fileAt(index))) {
    case FileKind::UnixPair: return openPair(index);
    case FileKind::UnixListen:
    case FileKind::UnixOther: return openUnix(index);
    case FileKind::Udp: return openUdp(index);
    case FileKind::Netlink: return openNetlink(index);
    case FileKind::TcpListen:
    case FileKind::TcpOther: return openListener(index);
    case FileKind::TcpPair: return;  // waits to be accepted: see finish()
    default: throw Error("internal", "a connection was not opened with the others");
  }
}

// And not what it is in this pod.
bool SocketOpener::isOwn(const InetAddress& address) const {
  return !address.isAny() && address.address == compiler_.state.ownAddress && !compiler_.wake.oldAddress.isGiven();
}

// A tape does not know the pod that it will run in, but the pod does.
void SocketOpener::putOwnAddress(uint64_t at) {
  if (!ownAddress_) {
    ifreq request{};
    std::strcpy(request.ifr_name, "eth0");
    uint64_t answer = value(request);
    ownAddress_ = answer + offsetof(ifreq, ifr_addr) + offsetof(sockaddr_in, sin_addr);
    Slot asker = tape_.call("make a socket", SYS_socket, {AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0}, true);
    tape_.call("ask for the pod's address", SYS_ioctl, {asker, SIOCGIFADDR, answer});
    close(asker);
  }
  tape_.op(OP_COPY, "put in the pod's address", {at, ownAddress_, 4});
}

uint64_t SocketOpener::address(const std::string& saved) {
  uint64_t at = bytes(saved);
  auto known = inetAddressOf(saved);
  if (known && isOwn(*known)) putOwnAddress(at + inetAddressOffset(saved));
  return at;
}

void SocketOpener::setOption(Slot slot, int level, int name, int wanted) {
  tape_.attempt("set a socket option", SYS_setsockopt, {slot, level, name, value(wanted), sizeof wanted});
}

void SocketOpener::attachFilter(const SocketOption& option, Slot slot) {
  sock_fprog program{static_cast<unsigned short>(option.value.size() / sizeof(sock_filter)), reinterpret_cast<sock_filter*>(bytes(option.value))};
  tape_.call("attach a socket's filter", SYS_setsockopt, {slot, SOL_SOCKET, SO_ATTACH_FILTER, value(program), sizeof program});
}

// But for SO_REUSEADDR and filters, which come last: connections share their address, and what waits has passed the filter.
void SocketOpener::setOptions(const OpenFile& file, Slot slot) {
  for (const SocketOption& option : file.options) {
    bool isLate = option.level == SOL_SOCKET && (option.name == SO_ATTACH_FILTER || option.name == SO_LOCK_FILTER || option.name == SO_PEEK_OFF);
    bool isTcpReuse = option.level == SOL_SOCKET && option.name == SO_REUSEADDR && file.socketType == SOCK_STREAM;
    if (isLate || isTcpReuse) continue;
    tape_.attempt("set a socket option", SYS_setsockopt, {slot, option.level, option.name, bytes(option.value), option.value.size()});
  }
  if (file.flags & kStatusFlags) tape_.call("set the flags of a descriptor", SYS_fcntl, {slot, F_SETFL, file.flags & kStatusFlags});
}

Slot SocketOpener::makeSocket(const OpenFile& file) {
  const Credentials& user = compiler_.state.processes.front().threads.front().credentials;
  Slot slot = lift(tape_.call("make a socket", SYS_socket, {file.family, file.socketType | SOCK_CLOEXEC, file.protocol}, true));
  // Who may share its port goes by its owner.
  if (user.uid[3] != 0 && file.family != AF_UNIX) tape_.call("own a socket", SYS_fchown, {slot, user.uid[3], user.gid[3]});
  return slot;
}

void SocketOpener::openPair(uint32_t index) {
  if (waitsToBeAccepted(index)) return;
  const OpenFile& file = fileAt(index);
  uint64_t ends = compiler_.region.reserve(8, 8);
  asApplication([&] { tape_.call("make a socket pair", SYS_socketpair, {AF_UNIX, file.socketType | SOCK_CLOEXEC, 0, ends}); });
  Slot both[2];
  for (int end : {0, 1}) both[end] = lift(tape_.load(ends + 4 * static_cast<uint64_t>(end)));
  bool taken[2] = {false, false};
  for (uint32_t other = index; other < compiler_.state.files.size(); other++) {
    const OpenFile& end = fileAt(other);
    if (end.kind != file.kind || end.object != file.object) continue;
    int which = end.writeEnd ? 1 : 0;
    if (taken[which]) throw Error("unsupported-state", "a socket pair that was opened more than once; not supported");
    taken[which] = true;
    slotAt(other) = both[which];
    peers_[other] = both[1 - which];
    setOptions(end, both[which]);
  }
  for (int end : {0, 1})
    if (!taken[end]) spare_.push_back(both[end]);
}

// Its name in the file system came back with the files; bind makes it anew.
void SocketOpener::bindName(const OpenFile& file, Slot slot) {
  if (file.localAddress.size() <= sizeof(sa_family_t)) return;
  auto* address = reinterpret_cast<const sockaddr_un*>(file.localAddress.data());
  bool path = address->sun_path[0] != '\0';
  std::string name = path ? std::string(address->sun_path, ::strnlen(address->sun_path, file.localAddress.size() - offsetof(sockaddr_un, sun_path))) : "";
  if (path) tape_.attempt("remove a socket's name", SYS_unlinkat, {AT_FDCWD, text(name), 0});
  tape_.call("bind a socket", SYS_bind, {slot, bytes(file.localAddress), file.localAddress.size()});
  const Credentials& owner = compiler_.state.processes.front().threads.front().credentials;
  if (path) tape_.attempt("own a socket's name", SYS_fchownat, {AT_FDCWD, text(name), owner.uid[3], owner.gid[3], 0});
  if (path && file.mode) tape_.attempt("set the mode of a socket", SYS_fchmodat, {AT_FDCWD, text(name), file.mode, 0});
}

void SocketOpener::openUnix(uint32_t index) {
  const OpenFile& file = fileAt(index);
  Slot slot = slotAt(index) = makeSocket(file);
  setOptions(file, slot);
  bindName(file, slot);
  if (kindOf(file) == FileKind::UnixListen) asApplication([&] { tape_.call("listen", SYS_listen, {slot, file.backlog}); });
}

// As knockTcp(); what had come is refilled with the other queues.
void SocketOpener::knockUnix(uint32_t waiting) {
  const OpenFile& listener = fileAt(static_cast<uint32_t>(fileAt(waiting).waitsOn));
  std::optional<uint32_t> client = otherEnd(waiting);
  Slot slot = lift(tape_.call("make a socket", SYS_socket, {AF_UNIX, listener.socketType | SOCK_CLOEXEC, 0}, true));
  if (client) bindName(fileAt(*client), slot);
  asApplication([&] { tape_.call("connect", SYS_connect, {slot, bytes(listener.localAddress), listener.localAddress.size()}); });
  peers_[waiting] = slot;
  if (!client) return spare_.push_back(slot);
  slotAt(*client) = slot;
  setOptions(fileAt(*client), slot);
}

void SocketOpener::openNetlink(uint32_t index) {
  const OpenFile& file = fileAt(index);
  Slot slot = slotAt(index) = makeSocket(file);
  setOptions(file, slot);
  // Its port: programs compare it with what an answer says.
  if (file.localAddress.size() >= 12) tape_.attempt("bind a netlink socket", SYS_bind, {slot, bytes(file.localAddress), file.localAddress.size()});
}

void SocketOpener::join(const OpenFile& file, Slot slot) {
  for (const Membership& membership : file.memberships) {
    // By the interface's address: its number may be another one in another pod.
    ip_mreqn request{};
    request.imr_multiaddr.s_addr = membership.group;
    request.imr_address.s_addr = htonl(INADDR_LOOPBACK);
    uint64_t at = value(request);
    if (!membership.loopback) putOwnAddress(at + offsetof(ip_mreqn, imr_address));
    if (membership.mode == MCAST_EXCLUDE) tape_.attempt("join a group", SYS_setsockopt, {slot, IPPROTO_IP, IP_ADD_MEMBERSHIP, at, sizeof request});
    for (uint32_t source : membership.sources) {
      ip_mreq_source one{};
      one.imr_multiaddr.s_addr = membership.group;
      one.imr_interface.s_addr = request.imr_address.s_addr;
      one.imr_sourceaddr.s_addr = source;
      uint64_t place = value(one);
      if (!membership.loopback) putOwnAddress(place + offsetof(ip_mreq_source, imr_interface));
      int name = membership.mode == MCAST_EXCLUDE ? IP_BLOCK_SOURCE : IP_ADD_SOURCE_MEMBERSHIP;
      tape_.attempt("join a group", SYS_setsockopt, {slot, IPPROTO_IP, name, place, sizeof one});
    }
  }
}

void SocketOpener::openUdp(uint32_t index) {
  const OpenFile& file = fileAt(index);
  Slot slot = slotAt(index) = makeSocket(file);
  setOptions(file, slot);
  auto local = inetAddressOf(file.localAddress);
  if (!local || local->port != 0) tape_.call("bind a socket", SYS_bind, {slot, address(file.localAddress), file.localAddress.size()});
  join(file, slot);
  // Before it is connected and before another shares its port: each message has to come to this one.
  refillUdp(index);
  if (!file.messages.empty()) setOptions(file, slot);  // again what it is: it had to wait
  if (!file.peerAddress.empty()) tape_.attempt("connect a UDP socket", SYS_connect, {slot, address(file.peerAddress), file.peerAddress.size()});
}

void SocketOpener::finish() {
  for (uint32_t index = 0; index < compiler_.state.files.size(); index++) {
    if (fileAt(index).waitsOn < 0) continue;
    if (fileAt(index).family == AF_UNIX) knockUnix(index);
    else knockTcp(index);
  }
  for (uint32_t index = 0; index < compiler_.state.files.size(); index++) {
    const OpenFile& file = fileAt(index);
    if (!knows(kindOf(file))) continue;
    if (file.family == AF_UNIX) refill(index);
    if (file.connectedTo >= 0) {
      const std::string& to = fileAt(static_cast<uint32_t>(file.connectedTo)).localAddress;
      tape_.attempt("connect a datagram socket", SYS_connect, {slotAt(index), bytes(to), to.size()});
    }
  }
  for (uint32_t index = 0; index < compiler_.state.files.size(); index++) {
    const OpenFile& file = fileAt(index);
    if (!knows(kindOf(file)) || slotAt(index).number < 0) continue;
    // RCV_SHUTDOWN 1, SEND_SHUTDOWN 2; when all is refilled
    bool isUnix = file.family == AF_UNIX;
    if (isUnix && file.count) tape_.attempt("shut down a socket", SYS_shutdown, {slotAt(index), file.count - 1});
    if (!isUnix && file.socketType == SOCK_STREAM) settleTcp(index);
    for (const SocketOption& option : file.options) {
      if (option.level != SOL_SOCKET) continue;
      if (option.name == SO_ATTACH_FILTER) attachFilter(option, slotAt(index));
      if (option.name == SO_LOCK_FILTER || option.name == SO_PEEK_OFF)
        tape_.attempt("set a socket option", SYS_setsockopt, {slotAt(index), option.level, option.name, bytes(option.value), option.value.size()});
    }
  }
  for (Slot slot : spare_) close(slot);
  if (endedListener_.number >= 0) close(endedListener_);
}

}  // namespace appshot
