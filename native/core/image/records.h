// The records of image.bin; docs/image-format.md draws them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/image/crc32c.h"

namespace appshot {

constexpr char kImageMagic[8] = {'A', 'P', 'P', 'S', 'H', 'O', 'T', '\n'};

struct FileHeader {
  char magic[8];
  uint32_t version;
  uint32_t reserved;
};

// Those of templates stand in template_records.h.
enum RecordType : uint32_t { kEnd = 0, kMeta = 1, kCommon = 2, kProcess = 3, kPages = 4, kBase = 5, kCompressed = 6 };

struct RecordHeader {
  uint32_t type;
  uint32_t nameBytes;
  uint64_t size;
  uint32_t sum;        // of name and data
  uint32_t headerSum;  // of the fields above
};
static_assert(sizeof(RecordHeader) == 24);

inline uint32_t headerSum(const RecordHeader& header) { return crc32c(&header, offsetof(RecordHeader, headerSum)); }

}  // namespace appshot
