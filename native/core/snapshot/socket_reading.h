// What can be read from a socket without changing it.
#pragma once

#include <sys/socket.h>

#include <string>
#include <vector>

#include "core/image/model.h"
#include "core/sys/unique_fd.h"

namespace appshot {

template <typename Value>
Value socketOption(int fd, int level, int name, Value fallback) {
  Value value = fallback;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, level, name, &value, &size) == 0 ? value : fallback;
}

// The sockaddr as the kernel gives it; empty where there is none.
std::string localAddressOf(int fd);
std::string peerAddressOf(int fd);

// Options that differ from what a fresh socket has. `family` and `socketType` of the file have to be known.
// Throws Error `unsupported-state` naming `descriptor` for what cannot be read back.
void collectSocketOptions(int fd, int descriptor, OpenFile& file);

// Groups that a socket has joined; `groups` are all that somebody in its network namespace has joined.
void collectMemberships(int fd, const std::vector<Membership>& groups, OpenFile& file);
// From /proc/PID/net/igmp.
std::vector<Membership> readMulticastGroups(pid_t pid);

// One message, or a piece of a stream, that waits to be received, left where it is.
struct WaitingMessage {
  std::string bytes;
  std::string from;               // sockaddr of the sender; empty where it has none
  std::vector<UniqueFd> passed;   // descriptors that come with it
};

// Of a datagram or seqpacket socket, in order.
std::vector<WaitingMessage> peekDatagrams(int fd);
// The first that waits in a unix socket of any type, if any, without any change to it: nothing where the program peeks at an offset.
std::vector<WaitingMessage> peekFirst(int fd);
// Of a unix stream: a piece ends where descriptors were sent along.
std::vector<WaitingMessage> peekUnixStream(int fd);
// Of a TCP connection.
std::string peekTcp(int fd);

}  // namespace appshot
