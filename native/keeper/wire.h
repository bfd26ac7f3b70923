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

// The four bytes in front of `text`.
std::string lengthPrefix(std::string_view text);
// What they say; nothing where not all of them have come. Throws Error when no message is as long.
std::optional<uint32_t> lengthIn(std::string_view received);

}  // namespace appshot
