// Connections to the outside, put together with TCP_REPAIR: ADR 0072.
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "core/image/tcp_state.h"
#include "core/pod/netlink.h"
#include "core/restore/socket_opener.h"
#include "core/snapshot/inet_address.h"

namespace appshot {

namespace {

// A call takes at most what fits into one packet of the kernel.
constexpr size_t kPieceBytes = 32768;
constexpr int kBufferLock = 72;  // SO_BUF_LOCK (5.14)
// TCPOPT_* of netinet/tcp.h, which does not go together with linux/tcp.h; TCPI_OPT_* of the other.
constexpr uint32_t kOptSegment = 2, kOptWindow = 3, kOptSack = 4, kOptTimestamp = 8;
constexpr uint32_t kInfoTimestamps = 1, kInfoSack = 2, kInfoWindow = 4;

// RFC 9293, 3.1: over the segment and a header of the addresses.
uint16_t checksumOf(const tcphdr& segment, const InetAddress& from, const InetAddress& to) {
  struct {
    uint32_t from, to;
    uint8_t zero, protocol;
    uint16_t bytes;
    tcphdr segment;
  } covered{from.address, to.address, 0, IPPROTO_TCP, htons(sizeof segment), segment};
  uint16_t words[sizeof covered / 2];
  std::memcpy(words, &covered, sizeof covered);
  uint32_t sum = 0;
  for (uint16_t word : words) sum += word;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

}  // namespace

void SocketOpener::openKept() {
  if (!compiler_.wake.oldAddress.isGiven()) return;
  std::vector<uint32_t> kept;
  for (uint32_t index = 0; index < compiler_.state.files.size(); index++)
    if (kindOf(fileAt(index)) == FileKind::TcpConnected && fileAt(index).tcp.kept) kept.push_back(index);
  for (uint32_t index : kept) repair(index);
  // Not before: a packet of the peer that meets the address without the connection would be answered with a reset.
  takeOldAddress();
  bool anyEnded = std::any_of(kept.begin(), kept.end(), [this](uint32_t index) { return fileAt(index).tcp.state != kTcpEstablished; });
  Slot raw{};
  if (anyEnded) raw = tape_.call("make a raw socket", SYS_socket, {AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW}, true);
  for (uint32_t index : kept) {
    const OpenFile& file = fileAt(index);
    Slot slot = slotAt(index);
    // Our end comes first in this state, and behind what was never sent.
    bool peersLater = file.tcp.state == kTcpClosing && file.tcp.endUnsent;
    if (file.tcp.state != kTcpEstablished && !peersLater) sayEnds(raw, index);
    setOption(slot, IPPROTO_TCP, TCP_REPAIR, 0);  // tells the peer that we are here
    setOption(slot, IPPROTO_IP, IP_TRANSPARENT, 0);
    setOption(slot, SOL_SOCKET, SO_REUSEADDR, 1);
    // What was never sent goes the usual way.
    std::string unsent = file.tcp.outgoing.substr(file.tcp.outgoing.size() - file.tcp.unsent);
    if (!unsent.empty()) tape_.callExact("refill a connection", SYS_write, {slot, bytes(unsent), unsent.size()}, unsent.size());
    if (file.tcp.endUnsent) tape_.call("shut down a connection", SYS_shutdown, {slot, SHUT_WR});
    if (peersLater) sayEnds(raw, index);
    setOption(slot, SOL_SOCKET, kBufferLock, 0);
    setOptions(file, slot);
  }
  if (anyEnded) close(raw);
}

// In repair mode, and with the queue for sending chosen, the kernel takes our end of stream for sent. Should the peer not have got it, it
// is sent again as anything else is.
void SocketOpener::shutDownRepaired(Slot slot) {
  tape_.call("choose a queue", SYS_setsockopt, {slot, IPPROTO_TCP, TCP_REPAIR_QUEUE, value(int{TCP_SEND_QUEUE}), sizeof(int)});
  tape_.call("shut down a connection", SYS_shutdown, {slot, SHUT_WR});
}

// What brings a connection from established to its state, in the order in which it happened. The peer has long said its part, and
// would not say it again: the kernel gets it from us.
void SocketOpener::sayEnds(Slot raw, uint32_t index) {
  const OpenFile& file = fileAt(index);
  const TcpConnection& tcp = file.tcp;
  Slot slot = slotAt(index);
  uint32_t acknowledged = tcp.sendNext - static_cast<uint32_t>(tcp.outgoing.size());
  bool weFirst = tcp.state == kTcpFinWait1 || tcp.state == kTcpFinWait2 || tcp.state == kTcpClosing;
  if (weFirst && !tcp.endUnsent) shutDownRepaired(slot);
  if (tcp.state == kTcpFinWait2) sendForPeer(raw, file, false, acknowledged + 1);
  if (peerSendsNoMore(tcp.state)) {
    sendForPeer(raw, file, true, acknowledged);
    // On a busy machine a packet may come to its socket later than the call that sent it returns.
    uint64_t query = value(pollfd{0, POLLRDHUP, 0});
    tape_.op(OP_STORE, "put in a descriptor", {query, slot});
    tape_.attempt("wait for the end of a connection", SYS_poll, {query, 1, 2000});
  }
  if (tcp.state == kTcpLastAck && !tcp.endUnsent) shutDownRepaired(slot);
}

void SocketOpener::sendForPeer(Slot raw, const OpenFile& file, bool end, uint32_t acknowledged) {
  auto local = inetAddressOf(file.localAddress), peer = inetAddressOf(file.peerAddress);
  if (!local || !peer) return;
  struct {
    iphdr ip;
    tcphdr tcp;
  } packet{};
  packet.ip.version = 4;
  packet.ip.ihl = 5;
  packet.ip.ttl = 64;
  packet.ip.protocol = IPPROTO_TCP;
  packet.ip.saddr = peer->address;
  packet.ip.daddr = local->address;
  packet.tcp.source = peer->port;
  packet.tcp.dest = local->port;
  packet.tcp.seq = htonl(file.tcp.receiveNext);
  packet.tcp.ack_seq = htonl(acknowledged);
  packet.tcp.doff = sizeof packet.tcp / 4;
  packet.tcp.ack = 1;
  packet.tcp.fin = end;
  packet.tcp.window = htons(static_cast<uint16_t>(std::min(file.tcp.window[1] >> std::min(file.tcp.sendScale, 14u), 0xffffu)));
  packet.tcp.check = checksumOf(packet.tcp, *peer, *local);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = local->address;
  tape_.callExact("end a connection for its peer", SYS_sendto, {raw, value(packet), sizeof packet, 0, value(to), sizeof to}, sizeof packet);
}

void SocketOpener::setSequence(Slot slot, int queue, uint32_t next) {
  tape_.call("choose a queue", SYS_setsockopt, {slot, IPPROTO_TCP, TCP_REPAIR_QUEUE, value(queue), sizeof queue});
  tape_.call("set a sequence number", SYS_setsockopt, {slot, IPPROTO_TCP, TCP_QUEUE_SEQ, value(next), sizeof next});
}

void SocketOpener::fillRepaired(Slot slot, int queue, const std::string& contents, size_t count) {
  tape_.call("choose a queue", SYS_setsockopt, {slot, IPPROTO_TCP, TCP_REPAIR_QUEUE, value(queue), sizeof queue});
  for (size_t at = 0; at < count; at += kPieceBytes) {
    std::string piece = contents.substr(at, std::min(kPieceBytes, count - at));
    tape_.callExact("refill a connection", SYS_sendto, {slot, bytes(piece), piece.size(), 0, 0, 0}, piece.size());
  }
}

void SocketOpener::repair(uint32_t index) {
  const OpenFile& file = fileAt(index);
  const TcpConnection& tcp = file.tcp;
  Slot slot = slotAt(index) = makeSocket(file);
  setOption(slot, IPPROTO_IP, IP_TRANSPARENT, 1);  // the address is not the pod's yet
  setOption(slot, SOL_SOCKET, SO_SNDBUFFORCE, static_cast<int>(tcp.outgoing.size() + (256u << 10)));
  setOption(slot, SOL_SOCKET, SO_RCVBUFFORCE, static_cast<int>(file.contents.size() + (256u << 10)));
  int on = 1;
  tape_.call("repair a connection", SYS_setsockopt, {slot, IPPROTO_TCP, TCP_REPAIR, value(on), sizeof on});
  tape_.call("bind a connection", SYS_bind, {slot, bytes(file.localAddress), file.localAddress.size()});
  setSequence(slot, TCP_RECV_QUEUE, tcp.receiveNext - static_cast<uint32_t>(file.contents.size()));
  setSequence(slot, TCP_SEND_QUEUE, tcp.sendNext - static_cast<uint32_t>(tcp.outgoing.size()));
  tape_.call("connect", SYS_connect, {slot, bytes(file.peerAddress), file.peerAddress.size()});
  std::vector<tcp_repair_opt> options;
  if (tcp.options & kInfoSack) options.push_back({kOptSack, 0});
  if (tcp.options & kInfoWindow) options.push_back({kOptWindow, tcp.sendScale | tcp.receiveScale << 16});
  if (tcp.options & kInfoTimestamps) options.push_back({kOptTimestamp, 0});
  options.push_back({kOptSegment, tcp.segment});
  tape_.call("set what the peers agreed on", SYS_setsockopt,
             {slot, IPPROTO_TCP, TCP_REPAIR_OPTIONS, compiler_.region.addTable(options), options.size() * sizeof options[0]});
  if (tcp.options & kInfoTimestamps)
    tape_.call("set a connection's clock", SYS_setsockopt, {slot, IPPROTO_TCP, TCP_TIMESTAMP, value(tcp.timestamp), sizeof tcp.timestamp});
  fillRepaired(slot, TCP_RECV_QUEUE, file.contents, file.contents.size());
  fillRepaired(slot, TCP_SEND_QUEUE, tcp.outgoing, tcp.outgoing.size() - tcp.unsent);
  tcp_repair_window window{tcp.window[0], tcp.window[1], tcp.window[2], tcp.window[3], tcp.window[4]};
  tape_.call("set a connection's window", SYS_setsockopt, {slot, IPPROTO_TCP, TCP_REPAIR_WINDOW, value(window), sizeof window});
}

void SocketOpener::takeOldAddress() {
  const OldAddress& old = compiler_.wake.oldAddress;
  Slot netlink = tape_.call("make a netlink socket", SYS_socket, {AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE}, true);
  auto change = [&](uint16_t type, uint16_t flags, in_addr address) {
    NetlinkMessage message(type, flags);
    ifaddrmsg header{};
    header.ifa_family = AF_INET;
    header.ifa_prefixlen = 32;
    header.ifa_scope = RT_SCOPE_UNIVERSE;
    header.ifa_index = static_cast<uint32_t>(old.interface);
    message.header(header).attribute(IFA_LOCAL, address).attribute(IFA_ADDRESS, address);
    const std::vector<char>& wire = message.finish(1);
    tape_.callExact("change the pod's address", SYS_sendto, {netlink, compiler_.region.add(wire.data(), wire.size()), wire.size(), 0, 0, 0}, wire.size());
  };
  // In this order: an interface without an address has no routes.
  change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, old.address);
  change(RTM_DELADDR, 0, old.replaced);
  close(netlink);
}

}  // namespace appshot
