#include "core/image/crc32c.h"

#include <nmmintrin.h>

#include <cstring>

namespace appshot {

__attribute__((target("sse4.2"))) uint32_t crc32c(const void* bytes, size_t count, uint32_t before) {
  auto* at = static_cast<const uint8_t*>(bytes);
  uint64_t crc = ~before;
  for (; count >= 8; at += 8, count -= 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    crc = _mm_crc32_u64(crc, word);
  }
  for (; count > 0; at++, count--) crc = _mm_crc32_u8(static_cast<uint32_t>(crc), *at);
  return ~static_cast<uint32_t>(crc);
}

}  // namespace appshot
