// Where in the region pages.bin is mapped while the working set is copied.
#pragma once

#include <cstdint>

namespace appshot {

// Behind everything else of the region; the region's address space ends far behind it.
inline constexpr uint64_t kPagesOffset = 1ull << 30;

}  // namespace appshot
