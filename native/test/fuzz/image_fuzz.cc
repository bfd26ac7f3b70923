// Feeds the image reader with broken images: it refuses or accepts, and never crashes.
//
// The bits of the first byte say how. 8: its pages are compressed. 1: checksums are put right first, so that what stands behind them is reached: contents whose
// sums are right and whose values are not. 2: the image is a delta. 4: the rest is no image.bin but the working set beside one.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/fill/working_set.h"
#include "core/image/codec.h"
#include "core/image/image.h"
#include "core/image/records.h"
#include "core/sys/sys.h"
#include "test/seed_image.h"

using namespace appshot;

namespace {

void putSumsRight(std::string& bytes) {
  for (size_t at = sizeof(FileHeader); at + sizeof(RecordHeader) <= bytes.size();) {
    RecordHeader header;
    std::memcpy(&header, bytes.data() + at, sizeof header);
    size_t left = bytes.size() - at - sizeof header;
    if (header.nameBytes > left) header.nameBytes = static_cast<uint32_t>(left);
    if (header.size > left - header.nameBytes) header.size = left - header.nameBytes;
    header.sum = crc32c(bytes.data() + at + sizeof header, header.nameBytes + header.size);
    header.headerSum = headerSum(header);
    std::memcpy(bytes.data() + at, &header, sizeof header);
    at += sizeof header + header.nameBytes + header.size;
    at += (8 - at % 8) % 8;
  }
}

// An image in a directory of its own, whose image.bin is overwritten again and again.
struct Target {
  TemporaryDirectory directory;
  int fd;
  explicit Target(int how) {
    if (how & 8) writeSeedCompressed(directory.path());
    else if (how & 2) writeSeedDelta(directory.path());
    else writeSeedImage(directory.path());
    fd = ::open((directory.path() + "/image.bin").c_str(), O_WRONLY | O_CLOEXEC);
  }
};

const Target& target(int how) {
  static const Target whole(0), delta(2), compressed(8);
  return how & 8 ? compressed : how & 2 ? delta : whole;
}

// A hint: whatever stands there, reading it gives something or nothing.
void readAsWorkingSet(const std::string& bytes) {
  const std::string& directory = target(0).directory.path();
  overwrite(directory + "/working-set.bin", bytes);
  readWorkingSet(directory);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] & 4) {
    readAsWorkingSet(bytes);
    return 0;
  }
  if (data[0] & 1) putSumsRight(bytes);
  const auto& [directory, fd] = target(data[0]);
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  try {
    Image image(directory.path());
    image.verifyPages();
    describeState(image.state());
  } catch (const Error&) {
  }
  return 0;
}

// `appshot-image-fuzz --seeds DIRECTORY` writes the corpus that the fuzzer begins with.
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc != 3 || std::strcmp((*argv)[1], "--seeds") != 0) return 0;
  std::string to = (*argv)[2];
  ::mkdir(to.c_str(), 0755);
  for (char how : {0, 1, 2, 3, 8, 9}) {
    std::string image = readFile(target(how).directory.path() + "/image.bin");
    overwrite(to + "/seed-" + std::to_string(how), how + image);
  }
  std::exit(0);
}
