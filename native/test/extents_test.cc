#include "core/fill/extents.h"

#include <doctest/doctest.h>

#include <map>
#include <random>

using appshot::Extent;
using appshot::Extents;

namespace {

constexpr uint64_t kPage = 4096, kPages = 64;

// The same as Extents, one entry a page.
struct PageMap {
  std::map<uint64_t, uint64_t> pages;  // page number -> position
  void add(uint64_t from, uint64_t count, uint64_t position) {
    for (uint64_t i = 0; i < count; i++) pages[from + i] = position + i * kPage;
  }
  void remove(uint64_t from, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) pages.erase(from + i);
  }
  void move(uint64_t from, uint64_t to, uint64_t count) {
    std::map<uint64_t, uint64_t> moved;
    for (uint64_t i = 0; i < count; i++)
      if (auto at = pages.find(from + i); at != pages.end()) moved[to + i] = at->second;
    remove(from, count);
    for (auto [page, position] : moved) pages[page] = position;
  }
};

void checkSame(const Extents& extents, const PageMap& expected) {
  PageMap found;
  uint64_t last = 0;
  for (const Extent& piece : extents.within(0, 4 * kPages * kPage)) {
    REQUIRE(piece.start < piece.end);
    REQUIRE(piece.start >= last);
    last = piece.end;
    found.add(piece.start / kPage, (piece.end - piece.start) / kPage, piece.position);
  }
  REQUIRE(found.pages == expected.pages);
  REQUIRE(extents.bytes() == expected.pages.size() * kPage);
  REQUIRE(extents.empty() == expected.pages.empty());
}

void checkNext(const Extents& extents, const PageMap& expected, uint64_t from, uint64_t pages) {
  Extent piece;
  auto first = expected.pages.lower_bound(from);
  REQUIRE(extents.next(from * kPage, pages * kPage, piece) == (first != expected.pages.end()));
  if (first == expected.pages.end()) return;
  REQUIRE(piece.start == first->first * kPage);
  REQUIRE(piece.position == first->second);
  REQUIRE(piece.end - piece.start <= pages * kPage);
}

}  // namespace

TEST_CASE("what is missing is the same as in a plain map of pages, whatever happens") {
  for (unsigned seed = 1; seed <= 300; seed++) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    auto upTo = [&](uint64_t limit) { return random() % limit; };
    Extents extents;
    PageMap expected;
    for (int step = 0; step < 60; step++) {
      uint64_t from = upTo(kPages), count = 1 + upTo(12), to = upTo(kPages);
      switch (upTo(4)) {
        case 0: {
          uint64_t position = upTo(1000) * kPage;
          extents.add({from * kPage, (from + count) * kPage, position});
          expected.add(from, count, position);
          break;
        }
        case 1:
          extents.remove(from * kPage, (from + count) * kPage);
          expected.remove(from, count);
          break;
        case 2:
          extents.move(from * kPage, to * kPage, count * kPage);
          expected.move(from, to, count);
          break;
        default: checkNext(extents, expected, from, count);
      }
      checkSame(extents, expected);
    }
  }
}

TEST_CASE("a part of an extent knows where its own contents stand") {
  Extents extents;
  extents.add({0x10000, 0x20000, 0x5000});
  auto pieces = extents.within(0x12000, 0x14000);
  REQUIRE(pieces.size() == 1);
  CHECK(pieces[0].start == 0x12000);
  CHECK(pieces[0].end == 0x14000);
  CHECK(pieces[0].position == 0x7000);
}
