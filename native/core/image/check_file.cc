#include "core/image/check_file.h"

#include <sys/socket.h>

#include <algorithm>

#include "core/image/tcp_state.h"

namespace appshot {

namespace {

bool isKnown(uint32_t kind) {
  return kind <= static_cast<uint32_t>(FileKind::Netlink) || kind == static_cast<uint32_t>(FileKind::TcpPair) ||
         kind == static_cast<uint32_t>(FileKind::TcpEnded) || kind == static_cast<uint32_t>(FileKind::Pidfd) ||
         kind == static_cast<uint32_t>(FileKind::PosixQueue);
}

bool isAddress(const std::string& bytes) { return bytes.empty() || (bytes.size() >= sizeof(sa_family_t) && bytes.size() <= sizeof(sockaddr_storage)); }

}  // namespace

const char* brokenPartOf(const OpenFile& file, const State& state) {
  size_t files = state.files.size();
  if (!isKnown(file.kind)) return "an open file is of unknown kind";
  if (file.kind == static_cast<uint32_t>(FileKind::Memfd) && file.object >= state.sharedMemory.size()) return "shared memory is missing";
  if (file.deleted && file.object >= state.ghosts.size()) return "a deleted file is missing";
  if (file.kind == static_cast<uint32_t>(FileKind::PosixQueue) && file.object >= state.ipc.size()) return "a message queue is missing";
  if (std::any_of(file.watches.begin(), file.watches.end(), [&](const EpollWatch& watch) { return watch.target >= files; })) return "an epoll watch is broken";
  if (file.connectedTo >= static_cast<int64_t>(files)) return "a datagram socket's peer is missing";
  if (file.tcp.kept && (file.tcp.window.size() != 5 || file.tcp.unsent > file.tcp.outgoing.size())) return "a kept connection is broken";
  if (file.tcp.kept && !canBeKept(file.tcp.state)) return "the state of a kept connection is broken";
  if (file.waitsOn >= static_cast<int64_t>(files)) return "a waiting connection's listening socket is missing";
  if (!isAddress(file.localAddress) || !isAddress(file.peerAddress)) return "a socket's address is broken";
  for (const QueuedMessage& message : file.messages) {
    if (!isAddress(message.from)) return "a message's sender is broken";
    if (std::any_of(message.files.begin(), message.files.end(), [&](uint32_t passed) { return passed >= files; })) return "a passed descriptor is missing";
  }
  return nullptr;
}

}  // namespace appshot
