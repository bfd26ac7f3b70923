#include "core/snapshot/tcp_repair.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "core/snapshot/socket_reading.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {
constexpr int kOn = 1, kOffWithoutProbe = -1;  // TCP_REPAIR_ON, TCP_REPAIR_OFF_NO_WP
}

void endSilently(int fd) {
  sys("keep a TCP connection quiet", [&] { return ::setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &kOn, sizeof kOn); });
}

TcpRepair::TcpRepair(int fd) : fd_(fd), reuse_(socketOption(fd, SOL_SOCKET, SO_REUSEADDR, 0)) {
  sys("look into a TCP connection", [&] { return ::setsockopt(fd_, IPPROTO_TCP, TCP_REPAIR, &kOn, sizeof kOn); });
}

TcpRepair::~TcpRepair() {
  ::setsockopt(fd_, IPPROTO_TCP, TCP_REPAIR, &kOffWithoutProbe, sizeof kOffWithoutProbe);
  // Repair mode overwrites it.
  ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &reuse_, sizeof reuse_);
}

void TcpRepair::choose(int queue) const {
  sys("choose a queue of a TCP connection", [&] { return ::setsockopt(fd_, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof queue); });
}

uint32_t TcpRepair::sequence(int queue) const {
  choose(queue);
  return socketOption(fd_, IPPROTO_TCP, TCP_QUEUE_SEQ, 0u);
}

Unacknowledged TcpRepair::unacknowledged(bool ended) const {
  constexpr size_t kPartly = 128u << 10;  // the oldest segment may have been acknowledged in part
  for (;;) {
    int queued = 0, after = 0;
    sys("ask what a TCP connection keeps", [&] { return ::ioctl(fd_, SIOCOUTQ, &queued); });
    uint32_t end = sequence(TCP_SEND_QUEUE);
    std::string bytes(static_cast<size_t>(queued) + kPartly, '\0');
    ssize_t n = ::recv(fd_, bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
    bytes.resize(n > 0 ? static_cast<size_t>(n) : 0);
    sys("ask what a TCP connection keeps", [&] { return ::ioctl(fd_, SIOCOUTQ, &after); });
    if (after != queued) continue;
    // The end of stream has a sequence number too, as long as it is not acknowledged.
    size_t wanted = static_cast<size_t>(queued);
    if (ended && wanted > 0) {
      wanted--;
      end--;
    }
    if (bytes.size() > wanted) bytes.erase(0, bytes.size() - wanted);
    return {end - static_cast<uint32_t>(bytes.size()), std::move(bytes)};
  }
}

std::string TcpRepair::received() const {
  choose(TCP_RECV_QUEUE);
  return peekTcp(fd_);
}

}  // namespace appshot
