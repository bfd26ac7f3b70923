// Which unix socket is connected to which, by the kernel's sock_diag.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>

namespace appshot {

struct UnixPeer {
  uint64_t inode = 0;     // 0: the peer is gone, or waits to be accepted
  uint32_t shutdown = 0;  // of the socket itself: 1 receives no more, 2 sends no more
  uint32_t waiting = 0;   // of a listening one: connections that nobody has accepted
};

// By inode: every unix socket in the network namespace of `pid` that is or was connected, or has connections waiting.
std::map<uint64_t, UnixPeer> readUnixPeers(pid_t pid);

}  // namespace appshot
