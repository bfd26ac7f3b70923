#include "core/snapshot/sock_diag.h"

#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <string>

#include "core/snapshot/unix_peers.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr uint8_t kEstablished = 1, kCloseWait = 8;

// A netlink socket made inside the namespace belongs to it for good; the thread comes back at once.
UniqueFd diagSocketIn(pid_t pid) {
  UniqueFd home = sysFd("open own network namespace", [] { return ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC); });
  std::string path = "/proc/" + std::to_string(pid) + "/ns/net";
  UniqueFd there = sysFd("open " + path, [&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
  sys("enter the pod's network namespace", [&] { return ::setns(there.get(), CLONE_NEWNET); });
  int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  int err = errno;
  sys("leave the pod's network namespace", [&] { return ::setns(home.get(), CLONE_NEWNET); });
  if (fd < 0) throwErrno("open a socket for sock_diag", err);
  return UniqueFd(fd);
}

// Four bytes of an address, which are the last of an IPv6 one that stands for it.
InetAddress addressOf(uint8_t family, const __be32 (&words)[4], __be16 port) { return {family == AF_INET ? words[0] : words[3], port}; }

}  // namespace

void askSockDiag(pid_t pid, const void* request, size_t bytes, const std::function<void(const nlmsghdr&)>& take) {
  UniqueFd fd = diagSocketIn(pid);
  sys("ask sock_diag", [&] { return ::send(fd.get(), request, bytes, 0); });
  alignas(nlmsghdr) char buffer[32768];
  for (;;) {
    ssize_t n = sys("read sock_diag", [&] { return ::recv(fd.get(), buffer, sizeof buffer, 0); });
    auto left = static_cast<uint32_t>(n);
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type == NLMSG_DONE) return;
      if (header->nlmsg_type == NLMSG_ERROR) throw Error("internal", "sock_diag refused to list sockets");
      take(*header);
    }
  }
}

std::vector<WaitingConnection> readWaitingConnections(pid_t pid) {
  std::vector<WaitingConnection> waiting;
  for (uint8_t family : {AF_INET, AF_INET6}) {
    struct {
      nlmsghdr header;
      inet_diag_req_v2 request;
    } message{};
    message.header.nlmsg_len = sizeof message;
    message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    message.request.sdiag_family = family;
    message.request.sdiag_protocol = IPPROTO_TCP;
    message.request.idiag_states = 1u << kEstablished | 1u << kCloseWait;
    askSockDiag(pid, &message, sizeof message, [&](const nlmsghdr& header) {
      auto* socket = static_cast<const inet_diag_msg*>(NLMSG_DATA(&header));
      // Closed by its program it would be in another state: it has none yet.
      if (socket->idiag_inode != 0) return;
      waiting.push_back({addressOf(family, socket->id.idiag_src, socket->id.idiag_sport), addressOf(family, socket->id.idiag_dst, socket->id.idiag_dport)});
    });
  }
  return waiting;
}

bool anybodyWaits(pid_t pid) {
  auto unixSockets = readUnixPeers(pid);
  return std::any_of(unixSockets.begin(), unixSockets.end(), [](const auto& entry) { return entry.second.waiting > 0; }) || !readWaitingConnections(pid).empty();
}

}  // namespace appshot
