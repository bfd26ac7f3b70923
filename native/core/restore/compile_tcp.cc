// TCP. Both ends of a connection inside of the instance are connected again by the kernel itself, over loopback: see ADR 0070.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "core/restore/socket_opener.h"
#include "core/snapshot/inet_address.h"

namespace appshot {

namespace {

// More than a fresh connection takes without its reader.
constexpr size_t kManyBytes = 16384;
constexpr int kBufferLock = 72;  // SO_BUF_LOCK (5.14)

// To be given to SO_SNDBUFFORCE, which doubles it. No more than needed: the program would fill the rest, and so on at each sleep.
int sendBufferFor(size_t bytes) { return static_cast<int>(std::min<size_t>(bytes / 2 + bytes / 16 + (64u << 10), 1u << 29)); }

uint16_t portOf(const std::string& saved) {
  auto known = inetAddressOf(saved);
  return known ? known->port : 0;
}

}  // namespace

void SocketOpener::openConnections() {
  openKept();
  for (uint32_t index = 0; index < compiler_.state.files.size(); index++) {
    if (slotAt(index).number >= 0) continue;
    FileKind kind = kindOf(fileAt(index));
    if (kind == FileKind::TcpPair) openTcpPair(index);
    else if (kind == FileKind::TcpEnded || kind == FileKind::TcpConnected) openTcpEnded(index);
  }
}

Slot SocketOpener::connectTo(const OpenFile& file, uint64_t to, size_t toBytes) {
  Slot slot = makeSocket(file);
  setOption(slot, SOL_SOCKET, SO_REUSEADDR, 1);
  if (portOf(file.localAddress)) tape_.attempt("bind a connection", SYS_bind, {slot, address(file.localAddress), file.localAddress.size()});
  tape_.call("connect", SYS_connect, {slot, to, toBytes});
  return slot;
}

// Waits for no reader: what the connection's window does not take stays in the send queue.
void SocketOpener::writeAll(Slot from, const std::string& contents) {
  if (contents.empty()) return;
  if (contents.size() > kManyBytes) setOption(from, SOL_SOCKET, SO_SNDBUFFORCE, sendBufferFor(contents.size()));
  tape_.callExact("refill a connection", SYS_write, {from, bytes(contents), contents.size()}, contents.size());
  if (contents.size() > kManyBytes) setOption(from, SOL_SOCKET, kBufferLock, 0);
}

std::optional<uint32_t> SocketOpener::otherEnd(uint32_t index) const {
  for (uint32_t other = 0; other < compiler_.state.files.size(); other++)
    if (other != index && fileAt(other).kind == fileAt(index).kind && fileAt(other).object == fileAt(index).object) return other;
  return std::nullopt;
}

bool SocketOpener::waitsToBeAccepted(uint32_t index) const {
  auto other = otherEnd(index);
  return fileAt(index).waitsOn >= 0 || (other && fileAt(*other).waitsOn >= 0);
}

void SocketOpener::openTcpPair(uint32_t index) {
  if (waitsToBeAccepted(index)) return;
  const OpenFile& file = fileAt(index);
  std::optional<uint32_t> otherIndex = otherEnd(index);
  const OpenFile* other = otherIndex ? &fileAt(*otherIndex) : nullptr;
  // The side that accepts: the other end, or one that is closed at once, as it was.
  OpenFile accepting;
  accepting.family = other ? other->family : file.family;
  accepting.socketType = SOCK_STREAM;
  accepting.localAddress = other ? other->localAddress : file.peerAddress;
  Slot listener = makeSocket(accepting);
  setOption(listener, SOL_SOCKET, SO_REUSEADDR, 1);
  tape_.call("bind a connection", SYS_bind, {listener, address(accepting.localAddress), accepting.localAddress.size()});
  tape_.call("listen for a connection", SYS_listen, {listener, 1});
  Slot mine = connectTo(file, address(file.peerAddress), file.peerAddress.size());
  Slot theirs = lift(tape_.call("accept a connection", SYS_accept4, {listener, 0, 0, SOCK_CLOEXEC}, true));
  close(listener);
  writeAll(theirs, file.contents);
  if (other) writeAll(mine, other->contents);
  slotAt(index) = mine;
  setOptions(file, mine);
  if (file.count & kShutSend) tape_.call("shut down a connection", SYS_shutdown, {mine, SHUT_WR});
  if (!other) return close(theirs);
  slotAt(*otherIndex) = theirs;
  setOptions(*other, theirs);
  if (other->count & kShutSend) tape_.call("shut down a connection", SYS_shutdown, {theirs, SHUT_WR});
}

// Connects once more to a socket that listens by now, and sends what had come; the program has not accepted it yet.
void SocketOpener::knockTcp(uint32_t waiting) {
  const OpenFile& file = fileAt(waiting);
  std::optional<uint32_t> client = otherEnd(waiting);
  OpenFile closed;  // by the program, once it had sent all
  closed.family = fileAt(static_cast<uint32_t>(file.waitsOn)).family;
  closed.socketType = SOCK_STREAM;
  closed.localAddress = file.peerAddress;
  const OpenFile& from = client ? fileAt(*client) : closed;
  const std::string& to = client ? from.peerAddress : file.localAddress;
  Slot slot = connectTo(from, address(to), to.size());
  writeAll(slot, file.contents);
  if (!client) return close(slot);
  slotAt(*client) = slot;
  setOptions(from, slot);
  if (from.count & kShutSend) tape_.call("shut down a connection", SYS_shutdown, {slot, SHUT_WR});
}

// What had come can be read; then it reads as reset, or as ended. The kernel makes it so: the other end does just that.
void SocketOpener::openTcpEnded(uint32_t index) {
  const OpenFile& file = fileAt(index);
  bool isSix = file.family == AF_INET6;
  if (endedListener_.number < 0) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    endedAddress_ = value(any);
    uint32_t size = sizeof any;
    endedListener_ = lift(tape_.call("make a socket", SYS_socket, {AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0}, true));
    tape_.call("bind a connection", SYS_bind, {endedListener_, endedAddress_, sizeof any});
    tape_.call("listen for a connection", SYS_listen, {endedListener_, 1});
    tape_.call("ask for an address", SYS_getsockname, {endedListener_, endedAddress_, value(size)});
  }
  uint64_t to = endedAddress_;
  if (isSix) {
    sockaddr_in6 mapped{};
    mapped.sin6_family = AF_INET6;
    mapped.sin6_addr.s6_addr[10] = mapped.sin6_addr.s6_addr[11] = 0xff;
    mapped.sin6_addr.s6_addr[12] = 127;
    mapped.sin6_addr.s6_addr[15] = 1;
    to = value(mapped);
    tape_.op(OP_COPY, "put in a port", {to + offsetof(sockaddr_in6, sin6_port), endedAddress_ + offsetof(sockaddr_in, sin_port), 2});
  }
  Slot mine = slotAt(index) = connectTo(file, to, isSix ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
  Slot theirs = tape_.call("accept a connection", SYS_accept4, {endedListener_, 0, 0, SOCK_CLOEXEC}, true);
  bool isReset = kindOf(file) == FileKind::TcpConnected || file.tcpEnd == kTcpReset;
  // A clone is not the one that its parent's peers have talked to.
  bool isForeign = kindOf(file) == FileKind::TcpConnected && compiler_.purpose == Purpose::Zygote;
  if (!isForeign) writeAll(theirs, file.contents);
  struct { int on, seconds; } atOnce{1, 0};
  if (isReset) tape_.call("reset a connection", SYS_setsockopt, {theirs, SOL_SOCKET, SO_LINGER, value(atOnce), sizeof atOnce});
  close(theirs);
  if (!isReset) tape_.attempt("shut down a connection", SYS_shutdown, {mine, SHUT_WR});
  setOptions(file, mine);
}

void SocketOpener::openListener(uint32_t index) {
  const OpenFile& file = fileAt(index);
  Slot slot = slotAt(index) = makeSocket(file);
  setOptions(file, slot);
  setOption(slot, SOL_SOCKET, SO_REUSEADDR, 1);
  if (portOf(file.localAddress)) tape_.call("bind a socket", SYS_bind, {slot, address(file.localAddress), file.localAddress.size()});
  if (kindOf(file) == FileKind::TcpListen) tape_.call("listen", SYS_listen, {slot, file.backlog});
}

// While addresses are shared by the sockets of one port, all let themselves be shared; then each is what it was.
void SocketOpener::settleTcp(uint32_t index) {
  int reuse = 0;
  for (const SocketOption& option : fileAt(index).options)
    if (option.level == SOL_SOCKET && option.name == SO_REUSEADDR && option.value.size() == sizeof reuse) std::memcpy(&reuse, option.value.data(), sizeof reuse);
  if (reuse != 1) setOption(slotAt(index), SOL_SOCKET, SO_REUSEADDR, reuse);
}

}  // namespace appshot
