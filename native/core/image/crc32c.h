// CRC-32C (Castagnoli) as in RFC 3720, with the processor's own instruction (SSE 4.2, present on every x86-64 since 2009).
#pragma once

#include <cstddef>
#include <cstdint>

namespace appshot {

uint32_t crc32c(const void* bytes, size_t count, uint32_t before = 0);

}  // namespace appshot
