#include "core/fill/working_set.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <map>

#include "core/image/crc32c.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr char kMagic[8] = {'A', 'P', 'P', 'W', 'S', 'E', 'T', '4'};
// 64 MiB: beyond that everything is as good.
constexpr size_t kMostKept = 16384;
// For how many wakes a page is filled in advance, each for its own number between the two. Missing a few pages costs a wake little, missing all
// is what this avoids; but what was missed late may be of a garbage collection, and nobody's need at all.
struct Lives { uint32_t shortest, longest; };
constexpr Lives kGuessed{1, 8}, kAround{8, 16}, kLate{4, 8}, kEarly{16, 32};
// It was missed again within so many wakes after that: it is needed every now and then.
constexpr Lives kProven{64, 128};
constexpr uint32_t kRemembered = 16;
// About 16 ms after the program has begun to run.
constexpr uint32_t kLateRank = 4096;

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

uint32_t lifeOf(const TouchedPage& page, Lives lives) {
  uint64_t mixed = (page.address >> 12 ^ page.pid) * 0x9e3779b97f4a7c15ull;
  return lives.shortest + static_cast<uint32_t>(mixed >> 32) % (lives.longest - lives.shortest + 1);
}

bool isFilled(const TouchedPage& page, uint32_t wakes) { return wakes - page.wake < page.life; }

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

Lives livesOfMissed(const TouchedPage& page) { return page.rank < kLateRank ? kEarly : kLate; }

// `page` of this wake, of which something was known before; false when that says more.
bool learn(TouchedPage& page, const TouchedPage& before, uint32_t wakes) {
  if (page.rank >= kAroundRank) {
    if (isFilled(before, wakes)) return false;
    page.rank = std::min(page.rank, before.rank);
    page.life = lifeOf(page, kAround);
    return true;
  }
  if (before.rank < kAroundRank && before.wake == wakes) return false;
  page.life = lifeOf(page, before.rank < kAroundRank ? kProven : livesOfMissed(page));
  return true;
}

// By rank; what is only remembered comes last, and is the first to go.
void arrange(Contents& contents) {
  std::stable_sort(contents.pages.begin(), contents.pages.end(), [&](const TouchedPage& a, const TouchedPage& b) {
    return std::pair(!isFilled(a, contents.wakes), a.rank) < std::pair(!isFilled(b, contents.wakes), b.rank);
  });
  if (contents.pages.size() > kMostKept) contents.pages.resize(kMostKept);
}

// What is known stays as it is; what is only remembered is filled again, in its old place.
void addGuesses(Contents& contents, const std::vector<TouchedPage>& guessed) {
  std::map<std::pair<uint32_t, uint64_t>, size_t> known;
  for (size_t i = 0; i < contents.pages.size(); i++) known.emplace(std::pair(contents.pages[i].pid, contents.pages[i].address), i);
  for (TouchedPage page : guessed) {
    page.wake = contents.wakes;
    page.life = lifeOf(page, kGuessed);
    auto [place, isNew] = known.try_emplace({page.pid, page.address}, contents.pages.size());
    if (isNew) {
      contents.pages.push_back(page);
    } else if (TouchedPage& before = contents.pages[place->second]; !isFilled(before, contents.wakes)) {
      before.wake = page.wake;
      before.life = page.life;
    }
  }
  arrange(contents);
}

}  // namespace

std::vector<TouchedPage> readWorkingSet(const std::string& imageDir) {
  Contents contents = read(imageDir);
  std::erase_if(contents.pages, [&](const TouchedPage& page) { return !isFilled(page, contents.wakes); });
  return std::move(contents.pages);
}

void addToWorkingSet(const std::string& imageDir, const std::vector<TouchedPage>& pages) {
  try {
    Contents contents = read(imageDir);
    contents.wakes++;
    std::map<std::pair<uint32_t, uint64_t>, TouchedPage> known;
    for (const TouchedPage& page : contents.pages)
      if (contents.wakes - page.wake < page.life + kRemembered) known.emplace(std::pair(page.pid, page.address), page);
    for (TouchedPage page : pages) {
      auto [place, isNew] = known.try_emplace({page.pid, page.address}, page);
      if (!isNew && !learn(page, place->second, contents.wakes)) continue;
      if (isNew) page.life = lifeOf(page, page.rank >= kAroundRank ? kAround : livesOfMissed(page));
      page.wake = contents.wakes;
      place->second = page;
    }
    contents.pages.clear();
    for (const auto& [place, page] : known) contents.pages.push_back(page);
    arrange(contents);
    write(imageDir, contents);
  } catch (const Error&) {
    // A hint less.
  }
}

void guessWorkingSet(const std::string& imageDir, const std::vector<TouchedPage>& pages) {
  try {
    Contents contents{0, pages};
    for (TouchedPage& page : contents.pages) page.life = lifeOf(page, kGuessed);
    write(imageDir, contents);
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
