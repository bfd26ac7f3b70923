// Images that share pages with an earlier one.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>

#include "core/image/codec.h"
#include "core/image/image.h"
#include "core/image/shared_runs.h"
#include "core/snapshot/page_saver.h"
#include "core/sys/sys.h"
#include "test/seed_image.h"

using namespace appshot;

namespace {

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

// Memory of one process in which every page is filled with one letter.
struct Memory {
  std::string bytes;
  std::vector<iovec> pieces;
  void add(uint64_t address, const std::string& letters) {
    pieces.push_back({reinterpret_cast<void*>(address), letters.size() * kPageSize});
    for (char letter : letters) bytes += std::string(kPageSize, letter);
  }
};

std::string describe(const std::vector<PageRun>& runs) {
  std::string text;
  for (const PageRun& run : runs) text += std::to_string(run.address >> 12) + "+" + std::to_string(run.pages) + "@" + std::to_string(run.position >> 12) + " ";
  return text;
}

}  // namespace

TEST_CASE("a delta is read with its base, which outlives the image that had it first") {
  TemporaryDirectory directory;
  PageBase base = writeSeedDelta(directory.path());
  CHECK(pagesRefusal(directory.path()) == "");
  Image image(directory.path());
  CHECK(image.base().bytes == kSeedPages * kPageSize);
  CHECK(image.pageBytes() == 2 * kSeedPages * kPageSize);
  CHECK(image.base().name == "first");
  CHECK(image.baseForDelta().sums == base.sums);
  CHECK(image.baseForDeltaFd() == image.basePagesFd());
}

TEST_CASE("a base that is missing, cut off or altered is refused by name") {
  TemporaryDirectory directory;
  writeSeedDelta(directory.path());
  std::string path = directory.path() + "/base.bin", whole = readFile(path);
  auto altered = whole;
  altered[5000]++;
  overwrite(path, altered);
  CHECK(contains(pagesRefusal(directory.path()), "base.bin (the pages first saved with image 'first'): the checksum of chunk 0"));
  overwrite(path, whole.substr(4096));
  CHECK(contains(pagesRefusal(directory.path()), "base.bin (the pages first saved with image 'first') has 12288 bytes where the image says 16384"));
  std::filesystem::remove(path);
  CHECK(contains(pagesRefusal(directory.path()), "base.bin (the pages first saved with image 'first') is missing"));
}

TEST_CASE("a page run across the end of the base is refused") {
  TemporaryDirectory directory;
  PageBase base = writeSeedDelta(directory.path());
  std::filesystem::remove(directory.path() + "/image.bin");
  std::filesystem::remove(directory.path() + "/pages.bin");
  State state = seedState();
  state.processes[0].runs[0].position = base.bytes - kPageSize;
  writeSeedImage(directory.path(), state, base);
  CHECK(contains(pagesRefusal(directory.path()), "across the end of the base"));
}

TEST_CASE("a delta of a delta has the base of the first") {
  TemporaryDirectory directory;
  writeSeedDelta(directory.path());
  BasePages pages(std::make_shared<Image>(directory.path()));
  CHECK(pages.identity().name == "first");
  CHECK(describe(pages.runsOf(3)) == "1280+2@0 ");
  CHECK(describe(pages.runsOf(99)) == "");
}

TEST_CASE("only pages that differ from the base are saved") {
  TemporaryDirectory first, second;
  writeSeedImage(first.path());  // process 3 has pages a, b at 0x500 and c at 0x508
  BasePages base(std::make_shared<Image>(first.path()));
  PageWriter pages(second.path() + "/pages.bin", base.identity().bytes);
  PageSaver saver(pages, &base);
  saver.begin(3, {});
  Memory memory;
  memory.add(0x4ff000, "xaX");
  memory.add(0x508000, "cy");
  saver.take(memory.pieces, memory.bytes.data());
  CHECK(describe(saver.finish()) == "1279+1@4 1280+1@0 1281+1@5 1288+1@2 1289+1@6 ");
  CHECK(saver.ownBytes() == 3 * kPageSize);
  std::string written = readFile(second.path() + "/pages.bin").substr(base.identity().bytes);
  CHECK(written == std::string(kPageSize, 'x') + std::string(kPageSize, 'X') + std::string(kPageSize, 'y'));
}

TEST_CASE("without a base everything is saved in order") {
  TemporaryDirectory directory;
  PageWriter pages(directory.path() + "/pages.bin");
  PageSaver saver(pages, nullptr);
  saver.begin(3, {});
  Memory memory;
  memory.add(0x1000, "ab");
  memory.add(0x3000, "c");
  memory.add(0x9000, "d");
  saver.take(memory.pieces, memory.bytes.data());
  CHECK(describe(saver.finish()) == "1+3@0 9+1@3 ");
}

TEST_CASE("a run ends where a range of memory does") {
  TemporaryDirectory directory;
  PageWriter pages(directory.path() + "/pages.bin");
  PageSaver saver(pages, nullptr);
  saver.begin(3, {0x1000, 0x3000, 0x9000});
  Memory memory;
  memory.add(0x1000, "ab");
  memory.add(0x3000, "cd");
  saver.take(memory.pieces, memory.bytes.data());
  CHECK(describe(saver.finish()) == "1+2@0 3+2@2 ");
}

TEST_CASE("a page file that starts over keeps what it is told to, without a hole") {
  TemporaryDirectory directory;
  std::string path = directory.path() + "/pages.bin", page(kPageSize, 'k');
  PageWriter pages(path, 1 << 20), same(directory.path() + "/same");
  pages.append(page.data(), page.size());
  pages.append(std::string(kPageSize, 'z').data(), kPageSize);
  pages.startOver(kPageSize);
  same.append(page.data(), page.size());
  CHECK(readFile(path) == page);
  CHECK(pages.position() == kPageSize);
  CHECK(pages.chunkSums() == same.chunkSums());
}
