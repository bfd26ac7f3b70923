#include "keeper/wire.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "core/sys/sys.h"

namespace appshot {

namespace {

void takeDescriptors(msghdr& message, std::vector<UniqueFd>& fds) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      fds.emplace_back(fd);
    }
  }
}

// Fills `bytes` bytes; false when the stream ended before the first.
bool receiveAll(int socket, char* to, size_t bytes, std::vector<UniqueFd>* fds) {
  for (size_t got = 0; got < bytes;) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMostDescriptors)];
    iovec part{to + got, bytes - got};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t n = sys("receive message", [&] { return ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC); });
    std::vector<UniqueFd> taken;
    takeDescriptors(message, taken);
    if (fds != nullptr) {
      for (auto& fd : taken) fds->push_back(std::move(fd));
    }
    if (n == 0) {
      if (got == 0) return false;
      throw Error("bad-request", "the connection ended within a message");
    }
    got += static_cast<size_t>(n);
  }
  return true;
}

}  // namespace

std::optional<Message> receiveMessage(int socket) {
  Message message;
  char prefix[4];
  if (!receiveAll(socket, prefix, sizeof prefix, &message.fds)) return std::nullopt;
  uint32_t length = *lengthIn({prefix, sizeof prefix});
  message.text.resize(length);
  if (length > 0 && !receiveAll(socket, message.text.data(), length, nullptr)) {
    throw Error("bad-request", "the connection ended within a message");
  }
  return message;
}

UniqueFd makeBell() {
  return sysFd("make a bell", [] { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE); });
}

void ring(int bell) {
  uint64_t one = 1;
  // It fails when 2^64 - 2 messages have not been read.
  [[maybe_unused]] ssize_t n = ::write(bell, &one, sizeof one);
}

void awaitBell(int bell, int socket) {
  // Of the socket only its end is waited for, which poll always tells: with POLLIN its hint would come along.
  pollfd polls[2] = {{bell, POLLIN, 0}, {socket, 0, 0}};
  uint64_t one;
  while (::read(bell, &one, sizeof one) < 0) {
    if (errno != EAGAIN) throwErrno("read a bell", errno);
    sys("wait for a bell", [&] { return ::poll(polls, 2, -1); });
    if (polls[1].revents != 0) return;
  }
}

std::string lengthPrefix(std::string_view text) {
  auto length = static_cast<uint32_t>(text.size());
  return {static_cast<char>(length), static_cast<char>(length >> 8), static_cast<char>(length >> 16), static_cast<char>(length >> 24)};
}

std::optional<uint32_t> lengthIn(std::string_view received) {
  if (received.size() < 4) return std::nullopt;
  auto byte = [&](size_t at) { return static_cast<uint32_t>(static_cast<unsigned char>(received[at])); };
  uint32_t length = byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24;
  if (length > kLongestMessage) throw Error("bad-request", "a message of " + std::to_string(length) + " bytes is too long");
  return length;
}

void sendMessage(int socket, std::string_view text, const std::vector<int>& fds) {
  std::string bytes = lengthPrefix(text) + std::string(text);
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMostDescriptors)] = {};
  for (size_t sent = 0; sent < bytes.size();) {
    iovec part{bytes.data() + sent, bytes.size() - sent};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (sent == 0 && !fds.empty()) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
      std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
    }
    sent += static_cast<size_t>(sys("send message", [&] { return ::sendmsg(socket, &message, MSG_NOSIGNAL); }));
  }
}

}  // namespace appshot
