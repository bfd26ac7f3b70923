#include "core/snapshot/unix_peers.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>

#include <cstring>

#include "core/snapshot/sock_diag.h"

namespace appshot {

std::map<uint64_t, UnixPeer> readUnixPeers(pid_t pid) {
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
  std::map<uint64_t, UnixPeer> peers;
  constexpr int kListening = 10;  // TCP_LISTEN, also of unix sockets
  askSockDiag(pid, &message, sizeof message, [&](const nlmsghdr& header) {
    auto* socket = static_cast<const unix_diag_msg*>(NLMSG_DATA(&header));
    auto attributes = static_cast<int>(header.nlmsg_len - NLMSG_LENGTH(sizeof *socket));
    UnixPeer found;
    bool connected = false;
    for (auto* attribute = reinterpret_cast<const rtattr*>(socket + 1); RTA_OK(attribute, attributes); attribute = RTA_NEXT(attribute, attributes))
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
  });
  return peers;
}

}  // namespace appshot
