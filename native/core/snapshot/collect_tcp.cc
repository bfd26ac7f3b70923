// The part of FileCollector that knows TCP.
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <map>
#include <utility>

#include "core/image/tcp_state.h"
#include "core/snapshot/collect_files.h"
#include "core/snapshot/inet_address.h"
#include "core/snapshot/socket_reading.h"
#include "core/snapshot/tcp_repair.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

tcp_info infoOf(int fd) { return socketOption(fd, IPPROTO_TCP, TCP_INFO, tcp_info{}); }

bool hasUrgentData(int fd) {
  pollfd query{fd, POLLPRI, 0};
  return ::poll(&query, 1, 0) > 0 && (query.revents & POLLPRI);
}

bool hasError(int fd) {
  pollfd query{fd, 0, 0};
  return ::poll(&query, 1, 0) > 0 && (query.revents & POLLERR);
}

}  // namespace

void FileCollector::describeTcp(const Opened& opened, OpenFile& file) {
  int fd = opened.here.get();
  tcp_info info = infoOf(fd);
  if (info.tcpi_state == kTcpListening) {
    file.kind = static_cast<uint32_t>(FileKind::TcpListen);
    file.backlog = static_cast<int32_t>(info.tcpi_sacked);  // for a listening socket, the length of its queue
    return;
  }
  char protocol[16]{};
  socklen_t size = sizeof protocol;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_ULP, protocol, &size) == 0 && size > 0 && protocol[0] != '\0')
    throw Error("unsupported-state", "fd " + std::to_string(opened.fd) + " is a TCP connection with the kernel's " + protocol + " on it; not supported");
  if (hasUrgentData(fd)) throw Error("unsupported-state", "fd " + std::to_string(opened.fd) + " is a TCP connection with urgent data waiting; not supported");
  if (sendsNoMore(info.tcpi_state)) file.count = kShutSend;
  file.peerAddress = peerAddressOf(fd);
  if (!course_.rehearses) file.contents = peekTcp(fd);
  bool wasConnected = info.tcpi_segs_out > 0;
  bool ended = info.tcpi_state == kTcpClosed || info.tcpi_state == kTcpSynSent;
  if (ended && !wasConnected) {
    file.kind = static_cast<uint32_t>(FileKind::TcpOther);
  } else if (ended) {
    file.kind = static_cast<uint32_t>(FileKind::TcpEnded);
    file.tcpEnd = info.tcpi_state == kTcpSynSent || hasError(fd) ? kTcpReset : kTcpEndOfStream;
  } else {
    file.kind = static_cast<uint32_t>(FileKind::TcpConnected);
  }
}

// Which are the two ends of one connection. `contents` then is all that is on its way to an end, wherever the kernel keeps it.
void FileCollector::resolveTcp() {
  using Ends = std::pair<InetAddress, InetAddress>;
  std::map<Ends, uint32_t> byEnds;
  for (uint32_t index = 0; index < state_.files.size(); index++) {
    const OpenFile& file = state_.files[index];
    if (file.kind != static_cast<uint32_t>(FileKind::TcpConnected)) continue;
    auto local = inetAddressOf(file.localAddress), peer = inetAddressOf(file.peerAddress);
    if (local && peer) byEnds[{*local, *peer}] = index;
  }
  for (const auto& [ends, index] : byEnds) {
    OpenFile& file = state_.files[index];
    bool isInside = ends.second.isLoopback() || ends.second.address == state_.ownAddress;
    if (!isInside) keepOutside(index);
    if (!isInside || ends.first == ends.second) continue;
    auto peer = byEnds.find({ends.second, ends.first});
    if (peer == byEnds.end()) {
      resolveHalf(index);
    } else if (index < peer->second) {
      OpenFile& other = state_.files[peer->second];
      file.kind = other.kind = static_cast<uint32_t>(FileKind::TcpPair);
      file.object = other.object = objectNumber(opened_[index].inode);
      other.writeEnd = true;
      file.contents = onItsWay(peer->second, index);
      other.contents = onItsWay(index, peer->second);
    }
  }
}

// An end whose peer is nobody's descriptor any more: closed, with all that it had sent here; or not to be known.
void FileCollector::resolveHalf(uint32_t index) {
  OpenFile& file = state_.files[index];
  if (peerSendsNoMore(infoOf(opened_[index].here.get()).tcpi_state)) {
    file.kind = static_cast<uint32_t>(FileKind::TcpPair);
    file.object = objectNumber(opened_[index].inode);
    return;
  }
  file.kind = static_cast<uint32_t>(FileKind::TcpEnded);
  file.tcpEnd = kTcpReset;
}

// Connected to somebody outside, who is not to notice. What he sends from now on gets no answer, so that he sends it again.
void FileCollector::keepOutside(uint32_t index) {
  int fd = opened_[index].here.get();
  if (!course_.ends || !course_.keepsOutside || !canBeKept(infoOf(fd).tcpi_state)) return;
  course_.silence->begin();
  OpenFile& file = state_.files[index];
  TcpConnection& tcp = file.tcp;
  // The last packets may change its state while it is read.
  do {
    tcp.state = infoOf(fd).tcpi_state;
    if (!canBeKept(tcp.state)) return;
    readKept(fd, file);
  } while (infoOf(fd).tcpi_state != tcp.state);
  file.count = sendsNoMore(tcp.state) ? uint64_t{kShutSend} : 0;
  tcp.kept = true;
  course_.keptOutside.emplace_back(sysFd("hold a connection", [&] { return ::fcntl(fd, F_DUPFD_CLOEXEC, 3); }));
}

void FileCollector::readKept(int fd, OpenFile& file) {
  TcpConnection& tcp = file.tcp;
  TcpRepair repair(fd);
  Unacknowledged sent = repair.unacknowledged(sendsNoMore(tcp.state));
  tcp_info info = infoOf(fd);
  int unsent = 0;
  ::ioctl(fd, SIOCOUTQNSD, &unsent);
  do {
    tcp.receiveNext = repair.sequence(TCP_RECV_QUEUE);
    file.contents = repair.received();
  } while (repair.sequence(TCP_RECV_QUEUE) != tcp.receiveNext);
  if (peerSendsNoMore(tcp.state)) tcp.receiveNext--;
  tcp.sendNext = sent.first + static_cast<uint32_t>(sent.bytes.size());
  if (tcp.state == kTcpFinWait2) tcp.sendNext--;  // our end has been acknowledged
  tcp.endUnsent = unsent > 0 && sendsNoMore(tcp.state);
  tcp.unsent = static_cast<uint32_t>(unsent) - tcp.endUnsent;
  tcp.outgoing = std::move(sent.bytes);
  tcp.segment = socketOption(fd, IPPROTO_TCP, TCP_MAXSEG, 0u);
  tcp.sendScale = info.tcpi_snd_wscale;
  tcp.receiveScale = info.tcpi_rcv_wscale;
  tcp.options = info.tcpi_options;
  tcp.timestamp = socketOption(fd, IPPROTO_TCP, TCP_TIMESTAMP, 0u);
  auto window = socketOption(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, tcp_repair_window{});
  // What was told to the peer may count his end, which comes once more.
  uint32_t ahead = peerSendsNoMore(tcp.state) && window.rcv_wup == tcp.receiveNext + 1;
  tcp.window = {window.snd_wl1, window.snd_wnd, window.max_window, window.rcv_wnd + ahead, window.rcv_wup - ahead};
}

// All that is on its way from one end to the other: what the receiver has not read, and what the sender keeps because the window
// was full. The programs stand still, but the kernel goes on moving bytes from the one to the other.
std::string FileCollector::onItsWay(uint32_t from, uint32_t to) const {
  // A connection that is looked into passes nothing on meanwhile.
  if (course_.rehearses) return {};
  int sender = opened_[from].here.get(), receiver = opened_[to].here.get(), queued = 0;
  if (::ioctl(sender, SIOCOUTQ, &queued) < 0 || queued <= 0) return peekTcp(receiver);
  TcpRepair sending(sender), receiving(receiver);
  Unacknowledged kept = sending.unacknowledged(sendsNoMore(infoOf(sender).tcpi_state));
  for (;;) {
    uint32_t received = receiving.sequence(TCP_RECV_QUEUE);
    std::string bytes = receiving.received();
    if (receiving.sequence(TCP_RECV_QUEUE) != received) continue;
    uint32_t known = received - kept.first;
    return known < kept.bytes.size() ? bytes + kept.bytes.substr(known) : bytes;
  }
}

}  // namespace appshot
