#include "core/fill/working_set.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <set>

#include "core/image/crc32c.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr char kMagic[8] = {'A', 'P', 'P', 'W', 'S', 'E', 'T', '3'};
// 64 MiB: beyond that everything is as good.
constexpr size_t kMostKept = 16384;
// Wakes after which a page is forgotten: between the two. Missing a few pages costs a wake little, missing all is what this avoids.
constexpr uint32_t kShortestLife = 64, kLongestLife = 128, kLongestGuess = 4;

struct Header {
  char magic[8]{};
  uint32_t sum = 0;    // CRC-32C of what follows
  uint32_t wakes = 0;  // so far
};

struct Contents {
  uint32_t wakes = 0;
  std::vector<TouchedPage> pages;
};

constexpr size_t kSummedFrom = offsetof(Header, wakes);

uint32_t lifeOf(const TouchedPage& page) {
  uint64_t mixed = (page.address >> 12 ^ page.pid) * 0x9e3779b97f4a7c15ull;
  if (page.rank >= kGuessedRank) return 1 + static_cast<uint32_t>(mixed >> 32) % kLongestGuess;
  return kShortestLife + static_cast<uint32_t>(mixed >> 32) % (kLongestLife - kShortestLife);
}

std::string path(const std::string& imageDir) { return imageDir + "/working-set.bin"; }

Contents read(const std::string& imageDir) {
  std::string bytes = readFileIfThere(path(imageDir));
  Header header;
  if (bytes.size() < sizeof header) return {};
  std::memcpy(&header, bytes.data(), sizeof header);
  size_t count = bytes.size() - sizeof header;
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 || count % sizeof(TouchedPage) != 0) return {};
  if (crc32c(bytes.data() + kSummedFrom, bytes.size() - kSummedFrom) != header.sum) return {};
  Contents contents{header.wakes, std::vector<TouchedPage>(count / sizeof(TouchedPage))};
  if (count > 0) std::memcpy(contents.pages.data(), bytes.data() + sizeof header, count);
  return contents;
}

void write(const std::string& imageDir, const Contents& contents) {
  size_t count = contents.pages.size() * sizeof(TouchedPage);
  Header header;
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.wakes = contents.wakes;
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes.append(reinterpret_cast<const char*>(contents.pages.data()), count);
  header.sum = crc32c(bytes.data() + kSummedFrom, bytes.size() - kSummedFrom);
  std::memcpy(bytes.data(), &header, sizeof header);
  std::string beside = path(imageDir) + ".new";
  UniqueFd fd = sysFd("create " + beside, [&] { return ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600); });
  writeAll(fd.get(), bytes.data(), bytes.size(), "write " + beside);
  sys("rename " + beside, [&] { return ::rename(beside.c_str(), path(imageDir).c_str()); });
}

// What is known stays as it is.
void addGuesses(Contents& contents, const std::vector<TouchedPage>& guessed) {
  std::set<std::pair<uint32_t, uint64_t>> known;
  for (const TouchedPage& page : contents.pages) known.insert({page.pid, page.address});
  for (TouchedPage page : guessed) {
    page.wake = contents.wakes;
    if (contents.pages.size() < kMostKept && known.insert({page.pid, page.address}).second) contents.pages.push_back(page);
  }
}

}  // namespace

std::vector<TouchedPage> readWorkingSet(const std::string& imageDir) { return read(imageDir).pages; }

void addToWorkingSet(const std::string& imageDir, const std::vector<TouchedPage>& pages) {
  try {
    Contents contents = read(imageDir);
    contents.wakes++;
    std::set<std::pair<uint32_t, uint64_t>> known;
    std::vector<TouchedPage> all;
    for (TouchedPage page : pages) {
      page.wake = contents.wakes;
      if (known.insert({page.pid, page.address}).second) all.push_back(page);
    }
    for (const TouchedPage& page : contents.pages)
      if (contents.wakes - page.wake < lifeOf(page) && known.insert({page.pid, page.address}).second) all.push_back(page);
    std::stable_sort(all.begin(), all.end(), [](const TouchedPage& a, const TouchedPage& b) { return a.rank < b.rank; });
    if (all.size() > kMostKept) all.resize(kMostKept);
    contents.pages = std::move(all);
    write(imageDir, contents);
  } catch (const Error&) {
    // A hint less.
  }
}

void guessWorkingSet(const std::string& imageDir, const std::vector<TouchedPage>& pages) {
  try {
    write(imageDir, {0, pages});
  } catch (const Error&) {
    // A hint less.
  }
}

void copyWorkingSet(const std::string& fromImageDir, const std::string& toImageDir, const std::vector<TouchedPage>& guessed) {
  try {
    Contents contents = read(fromImageDir);
    addGuesses(contents, guessed);
    if (!contents.pages.empty()) write(toImageDir, contents);
  } catch (const Error&) {
    // A hint less.
  }
}

}  // namespace appshot
