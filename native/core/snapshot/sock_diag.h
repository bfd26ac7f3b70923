// The sockets of a pod as the kernel lists them: also those that nobody has a descriptor of.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "core/snapshot/inet_address.h"

struct nlmsghdr;

namespace appshot {

// Sends a request of NETLINK_SOCK_DIAG in the network namespace of `pid`, and gives each answer to `take`.
void askSockDiag(pid_t pid, const void* request, size_t bytes, const std::function<void(const nlmsghdr&)>& take);

// A TCP connection that has been made and waits to be accepted.
struct WaitingConnection {
  InetAddress local, peer;
};
std::vector<WaitingConnection> readWaitingConnections(pid_t pid);

// Whether anything waits to be accepted in the network namespace of `pid`, over TCP or a unix socket.
bool anybodyWaits(pid_t pid);

}  // namespace appshot
