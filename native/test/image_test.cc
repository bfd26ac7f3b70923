#include "core/image/image.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "core/image/codec.h"
#include "core/image/crc32c.h"
#include "core/sys/sys.h"
#include "test/seed_image.h"

using namespace appshot;

namespace {

// The message with which the image is refused; empty when it is accepted.
std::string refusal(const std::string& directory, bool withPages = false) {
  try {
    Image image(directory);
    if (withPages) image.verifyPages();
    return "";
  } catch (const Error& error) {
    CHECK(error.code() == "image-invalid");
    return error.what();
  }
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

struct Seed {
  TemporaryDirectory directory;
  std::string path, bytes;
  Seed() : path(directory.path() + "/image.bin") {
    writeSeedImage(directory.path());
    bytes = readFile(path);
  }
  std::string withBytes(const std::string& changed) {
    overwrite(path, changed);
    return refusal(directory.path());
  }
  std::string withState(const State& state) {
    std::filesystem::remove(path);
    std::filesystem::remove(directory.path() + "/pages.bin");
    writeSeedImage(directory.path(), state);
    return refusal(directory.path());
  }
};

}  // namespace

TEST_CASE("what was written is read") {
  Seed seed;
  Image image(seed.directory.path());
  image.verifyPages();
  State expected = seedState();
  CHECK(image.meta() == "{\"name\":\"seed\"}");
  CHECK(image.pageBytes() == kSeedPages * kPageSize);
  CHECK(encodeCommon(image.state()) == encodeCommon(expected));
  REQUIRE(image.state().processes.size() == 2);
  for (size_t i = 0; i < 2; i++) CHECK(encodeProcess(image.state().processes[i]) == encodeProcess(expected.processes[i]));
  CHECK(contains(describeState(image.state()), "\"eventfd\""));
}

TEST_CASE("an image that is cut off anywhere is refused") {
  Seed seed;
  for (size_t length = 0; length < seed.bytes.size(); length++) {
    CAPTURE(length);
    std::string why = seed.withBytes(seed.bytes.substr(0, length));
    REQUIRE(why != "");
    REQUIRE(contains(why, "image.bin"));
    if (length >= 16) REQUIRE((contains(why, "ends in the middle") || contains(why, "lacks")));
  }
}

TEST_CASE("a changed byte anywhere is refused") {
  Seed seed;
  for (size_t at = 0; at < seed.bytes.size(); at++) {
    CAPTURE(at);
    std::string changed = seed.bytes;
    changed[at] = static_cast<char>(changed[at] ^ (1 << at % 8));
    REQUIRE(contains(seed.withBytes(changed), "image.bin"));
  }
}

TEST_CASE("foreign and newer files are named as such") {
  Seed seed;
  CHECK(contains(seed.withBytes("GIF89a" + seed.bytes), "is not an AppShot image"));
  std::string newer = seed.bytes;
  newer[8]++;
  CHECK(contains(seed.withBytes(newer), ("format version " + std::to_string(kImageVersion + 1)).c_str()));
  std::string older = seed.bytes;
  older[8]--;
  CHECK(contains(seed.withBytes(older), ("format version " + std::to_string(kImageVersion - 1)).c_str()));
  CHECK(contains(seed.withBytes(seed.bytes + "x"), "behind the end"));
  CHECK_THROWS_WITH_AS(Image(seed.directory.path() + "/nothing"), doctest::Contains("there is no image"), Error);
}

TEST_CASE("pages.bin is checked by size and by contents") {
  Seed seed;
  std::string path = seed.directory.path() + "/pages.bin", pages = readFile(path);
  overwrite(path, pages.substr(1));
  CHECK(contains(refusal(seed.directory.path()), "pages.bin has"));
  pages[5000]++;
  overwrite(path, pages);
  CHECK(contains(refusal(seed.directory.path(), true), "the checksum of chunk 0"));
}

TEST_CASE("values that could do harm are refused though their checksums are right") {
  Seed seed;
  auto changed = [&](auto&& change) {
    State state = seedState();
    change(state);
    return seed.withState(state);
  };
  CHECK(changed([](State&) {}) == "");
  CHECK(contains(changed([](State& s) { s.processes[1].pid = 3; }), "same pid"));
  CHECK(contains(changed([](State& s) { s.processes[0].ppid = 4; }), "before its parent"));
  CHECK(contains(changed([](State& s) { s.processes[0].threads.clear(); }), "no thread"));
  CHECK(contains(changed([](State& s) { s.processes[0].vmas[1].end = ~0ull - 4095; }), "memory range"));
  CHECK(contains(changed([](State& s) { s.processes[0].vmas[1].start = 0x401000; }), "memory range"));
  CHECK(contains(changed([](State& s) { s.processes[0].vmas[0].object = 1; }), "mapped file"));
  CHECK(contains(changed([](State& s) { s.processes[0].vmas[2].object = 9; }), "shared memory"));
  CHECK(contains(changed([](State& s) { s.processes[0].runs[0].pages = 1ull << 60; }), "page run"));
  CHECK(contains(changed([](State& s) { s.processes[0].runs[0].position = 1 << 20; }), "page run"));
  CHECK(contains(changed([](State& s) { s.processes[0].runs[0].address = 1; }), "page run"));
  CHECK(contains(changed([](State& s) { s.processes[0].descriptors[0].file = 77; }), "descriptor"));
  CHECK(contains(changed([](State& s) { s.processes[0].descriptors[0].fd = -1; }), "descriptor"));
  CHECK(contains(changed([](State& s) { s.processes[0].threads[1].xstate = ""; }), "registers"));
  CHECK(contains(changed([](State& s) { s.files[2].watches[0].target = 3; }), "epoll"));
  CHECK(contains(changed([](State& s) { s.files[0].kind = 99; }), "unknown kind"));
  CHECK(contains(changed([](State& s) { s.sharedMemory[0].runs[0].address = 1 << 20; }), "page run"));
}

TEST_CASE("a record that is nested without end is refused") {
  CHECK_THROWS_WITH_AS(decodeProcess(std::string(2'000'000, '\x81')), doctest::Contains("nested too deeply"), Error);
  CHECK_THROWS_AS(decodeProcess("\x9b\xff\xff\xff\xff\xff\xff\xff\xff"), Error);
  CHECK_THROWS_AS(decodeCommon(""), Error);
}

TEST_CASE("CRC-32C gives the values of RFC 3720") {
  CHECK(crc32c("123456789", 9) == 0xe3069283);
  CHECK(crc32c(std::string(32, '\0').data(), 32) == 0x8a9136aa);
  CHECK(crc32c(std::string(32, '\xff').data(), 32) == 0x62a8ab43);
  std::string up(32, '\0');
  for (size_t i = 0; i < 32; i++) up[i] = static_cast<char>(i);
  CHECK(crc32c(up.data(), 32) == 0x46dd794e);
  CHECK(crc32c(up.data() + 5, 27, crc32c(up.data(), 5)) == 0x46dd794e);
  CHECK(crc32c("", 0) == 0);
}

TEST_CASE("page checksums do not depend on how the pages were written") {
  TemporaryDirectory directory;
  std::string bytes(3 * kChunkBytes / 2, 'x');
  PageWriter once(directory.path() + "/once"), pieces(directory.path() + "/pieces");
  once.append(bytes.data(), bytes.size());
  for (size_t at = 0; at < bytes.size(); at += 3 * kPageSize) pieces.append(bytes.data() + at, std::min<size_t>(3 * kPageSize, bytes.size() - at));
  CHECK(once.segment().sums.size() == 2);
  CHECK(once.segment().sums == pieces.segment().sums);
}
