// Which unix socket is connected to which, by the kernel's sock_diag.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>

namespace appshot {

// inode -> inode of its peer, for every connected unix socket in the network namespace of `pid`.
std::map<uint64_t, uint64_t> readUnixPeers(pid_t pid);

}  // namespace appshot
