// One message over a unix socket, with descriptors that the sender keeps.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstring>
#include <vector>

namespace appshot {

// As sendmsg(2) with MSG_NOSIGNAL and `flags`: -1 and errno where it failed.
inline ssize_t sendDescriptors(int socket, const void* bytes, size_t size, const std::vector<int>& fds, int flags = 0) {
  iovec vector{const_cast<void*>(bytes), size};
  // Of words, so that it is aligned as a control message has to be.
  std::vector<size_t> control((CMSG_SPACE(fds.size() * sizeof(int)) + sizeof(size_t) - 1) / sizeof(size_t));
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  return ::sendmsg(socket, &message, MSG_NOSIGNAL | flags);
}

}  // namespace appshot
