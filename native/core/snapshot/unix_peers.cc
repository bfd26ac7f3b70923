#include "core/snapshot/unix_peers.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sched.h>
#include <sys/socket.h>

#include <cstring>
#include <string>

#include "core/sys/sys.h"

namespace appshot {

// A netlink socket made inside the namespace belongs to it for good; the thread comes back at once.
static UniqueFd diagSocketIn(pid_t pid) {
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

std::map<uint64_t, UnixPeer> readUnixPeers(pid_t pid) {
  UniqueFd fd = diagSocketIn(pid);
  struct {
    nlmsghdr header;
    unix_diag_req request;
  } message{};
  message.header.nlmsg_len = sizeof message;
  message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  message.request.sdiag_family = AF_UNIX;
  message.request.udiag_states = ~0u;
  message.request.udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN;
  sys("ask sock_diag", [&] { return ::send(fd.get(), &message, sizeof message, 0); });
  std::map<uint64_t, UnixPeer> peers;
  constexpr int kListening = 10;  // TCP_LISTEN, also of unix sockets
  alignas(nlmsghdr) char buffer[32768];
  for (;;) {
    ssize_t n = sys("read sock_diag", [&] { return ::recv(fd.get(), buffer, sizeof buffer, 0); });
    auto left = static_cast<uint32_t>(n);
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type == NLMSG_DONE) return peers;
      if (header->nlmsg_type == NLMSG_ERROR) throw Error("internal", "sock_diag refused to list unix sockets");
      auto* socket = static_cast<unix_diag_msg*>(NLMSG_DATA(header));
      auto attributes = static_cast<int>(header->nlmsg_len - NLMSG_LENGTH(sizeof *socket));
      UnixPeer found;
      bool connected = false;
      for (auto* attribute = reinterpret_cast<rtattr*>(socket + 1); RTA_OK(attribute, attributes); attribute = RTA_NEXT(attribute, attributes))
        if (attribute->rta_type == UNIX_DIAG_PEER) {
          uint32_t peer;
          std::memcpy(&peer, RTA_DATA(attribute), sizeof peer);
          found.inode = peer;
          connected = true;
        } else if (attribute->rta_type == UNIX_DIAG_RQLEN && socket->udiag_state == kListening) {
          std::memcpy(&found.waiting, RTA_DATA(attribute), sizeof found.waiting);  // unix_diag_rqlen::udiag_rqueue
        } else if (attribute->rta_type == UNIX_DIAG_SHUTDOWN) {
          found.shutdown = *static_cast<const uint8_t*>(RTA_DATA(attribute));
        }
      if (connected || found.waiting) peers[socket->udiag_ino] = found;
    }
  }
}

}  // namespace appshot
