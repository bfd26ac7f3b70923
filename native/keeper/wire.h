// Messages on the keeper's socket: four bytes of length (little-endian), then that much JSON; descriptors travel with the length.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/sys/unique_fd.h"

namespace appshot {

inline constexpr uint32_t kLongestMessage = 16u << 20;
inline constexpr size_t kMostDescriptors = 8;

struct Message {
  std::string text;
  std::vector<UniqueFd> fds;
};

// Waits for the next message. Nothing at the end of the stream. Throws Error when what arrives is not a message.
std::optional<Message> receiveMessage(int socket);

// Waits until all of it is sent. Throws Error.
void sendMessage(int socket, std::string_view text, const std::vector<int>& fds = {});

// A client may bring an eventfd, a bell, with its first message, and then rings it once for each message, as soon as its first byte is
// sent. A socket's own wake-up is a hint to the kernel that the sender is about to sleep: the keeper would be put on the sender's processor,
// and begin only when that has ended its turn, a third of a millisecond later, with another processor idle. An eventfd gives no such hint.
UniqueFd makeBell();
void ring(int bell);
// Waits until it has been rung for one more message, or `socket` was closed by the other end.
void awaitBell(int bell, int socket);

// The four bytes in front of `text`.
std::string lengthPrefix(std::string_view text);
// What they say; nothing where not all of them have come. Throws Error when no message is as long.
std::optional<uint32_t> lengthIn(std::string_view received);

}  // namespace appshot
