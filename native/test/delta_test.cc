// Images that share pages with an earlier one.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <chrono>
#include <cstring>
#include <filesystem>

#include "core/image/codec.h"
#include "core/image/image.h"
#include "core/image/shared_runs.h"
#include "core/snapshot/page_saver.h"
#include "core/snapshot/page_uses.h"
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
  EarlierPages pages(std::make_shared<Image>(directory.path()), false);
  CHECK(pages.base().name == "first");
  CHECK(describe(pages.runsOf(3)) == "1280+2@0 ");
  CHECK(describe(pages.runsOf(99)) == "");
}

TEST_CASE("only pages that differ from the base are saved") {
  TemporaryDirectory first, second;
  writeSeedImage(first.path());  // process 3 has pages a, b at 0x500 and c at 0x508
  EarlierPages base(std::make_shared<Image>(first.path()), false);
  PageWriter pages(second.path() + "/pages.bin", base.base().bytes);
  PageSaver saver(pages, &base);
  saver.begin(3, false);
  Memory memory;
  memory.add(0x4ff000, "xaX");
  memory.add(0x508000, "cy");
  saver.take(memory.pieces, memory.bytes.data());
  CHECK(describe(saver.finish()) == "1279+1@4 1280+1@0 1281+1@5 1288+1@2 1289+1@6 ");
  CHECK(saver.ownBytes() == 3 * kPageSize);
  std::string written = readFile(second.path() + "/pages.bin").substr(base.base().bytes);
  CHECK(written == std::string(kPageSize, 'x') + std::string(kPageSize, 'X') + std::string(kPageSize, 'y'));
}

TEST_CASE("without a base everything is saved in order") {
  TemporaryDirectory directory;
  PageWriter pages(directory.path() + "/pages.bin");
  PageSaver saver(pages, nullptr);
  saver.begin(3, false);
  Memory memory;
  memory.add(0x1000, "ab");
  memory.add(0x3000, "c");
  memory.add(0x9000, "d");
  saver.take(memory.pieces, memory.bytes.data());
  CHECK(describe(saver.finish()) == "1+3@0 9+1@3 ");
}

TEST_CASE("runs are joined where memory and file go on, and end where a range of memory or the base does") {
  std::vector<PageRun> runs{{0x9000, 1, 0x5000}, {0x1000, 2, 0x1000}, {0x3000, 3, 0x3000}, {0x6000, 1, 0x9000}};
  CHECK(describe(arrangeRuns(runs, {}, 0)) == "1+5@1 6+1@9 9+1@5 ");
  CHECK(describe(arrangeRuns(runs, {0x1000, 0x4000, 0x9000}, 0x3000)) == "1+2@1 3+1@3 4+2@4 6+1@9 9+1@5 ");
}

TEST_CASE("what the first requests need is asked for apart from the rest") {
  State state = seedState();
  Process& process = state.processes[0];
  process.runs = {{0x401000, 1, 0}, {0x500000, 4, 0}, {0x508000, 1, 0}};
  std::vector<TouchedPage> workingSet;
  // The beginning fills what comes first, in another process it would not.
  workingSet.push_back({3, 0, 0x501000, 0});
  for (uint64_t i = 1; i < kFirstPages; i++) workingSet.push_back({3, 0, 0x700000 + i * kPageSize, static_cast<uint32_t>(i)});
  workingSet.push_back({3, 0, 0x503000, kFirstPages});
  PageUses uses(workingSet);
  CHECK(describe(uses.runsOf(process, PageUse::First)) == "1025+1@0 1281+1@0 ");
  CHECK(describe(uses.runsOf(process, PageUse::Later)) == "1283+1@0 ");
  CHECK(describe(uses.runsOf(process, PageUse::Rest)) == "1280+1@0 1282+1@0 1288+1@0 ");
  CHECK(describe(PageUses({}).runsOf(process, PageUse::Rest)) == "1280+4@0 1288+1@0 ");
}

TEST_CASE("pages that shall stand together are saved though the base has them, unless they stand together there") {
  for (bool isTogether : {false, true}) {
    TemporaryDirectory first, second;
    writeSeedImage(first.path());
    Image image(first.path());
    PageTables tables{{}, image.segments(), {}};
    tables.segments[0].firstTo = isTogether ? kPageSize : 0;
    std::filesystem::remove(first.path() + "/image.bin");
    writeImageFile(first.path(), image.state(), "{}", tables);
    EarlierPages base(std::make_shared<Image>(first.path()), false);
    PageWriter pages(second.path() + "/pages.bin", base.base().bytes);
    PageSaver saver(pages, &base);
    saver.begin(3, true);
    Memory memory;
    memory.add(0x500000, "ab");
    saver.take(memory.pieces, memory.bytes.data());
    CHECK(describe(saver.finish()) == (isTogether ? "1280+1@0 1281+1@4 " : "1280+2@4 "));
  }
}

TEST_CASE("a page file that starts over keeps what it is told to, without a hole") {
  TemporaryDirectory directory;
  std::string path = directory.path() + "/pages.bin", page(kPageSize, 'k');
  PageWriter pages(path, 1 << 20), same(directory.path() + "/same");
  pages.append(page.data(), page.size());
  pages.append(std::string(kPageSize, 'z').data(), kPageSize);
  pages.startOver(0, kPageSize);
  same.append(page.data(), page.size());
  CHECK(readFile(path) == page);
  CHECK(pages.position() == kPageSize);
  CHECK(pages.segment().sums == same.segment().sums);
}

namespace {

// A delta of process 3 whose pages are those of the seed image, but for the page at 0x508, then one appended to it in which the page
// at 0x500 is another, too.
struct Chain {
  TemporaryDirectory first, second, third;
  std::shared_ptr<Image> delta, appended;

  Chain() {
    writeSeedImage(first.path());
    delta = save(std::make_shared<Image>(first.path()), second.path(), "abX");
    appended = save(delta, third.path(), "ZbX");
  }

  // What process 3 has at 0x500, 0x501 and 0x508; the other process and shared memory have gone.
  static std::shared_ptr<Image> save(const std::shared_ptr<Image>& from, const std::string& to, const std::string& letters) {
    from->verifyPages();
    LinkedPages linked = linkEarlierPages(from, to, true);
    std::string path = to + "/pages.bin";
    PageWriter pages = linked.file.valid() ? PageWriter(path, std::move(linked.file)) : PageWriter(path, from->baseForDelta().bytes);
    PageSaver saver(pages, &*linked.earlier);
    State state = seedState();
    state.processes.pop_back();
    state.sharedMemory[0].runs.clear();
    Memory memory;
    memory.add(0x500000, letters.substr(0, 2));
    memory.add(0x508000, letters.substr(2));
    saver.begin(3, false);
    saver.take(memory.pieces, memory.bytes.data());
    state.processes[0].runs = saver.finish();
    PageTables tables{linked.earlier->base(), linked.earlier->segmentsUsedBy(state), {}};
    if (pages.written()) tables.segments.push_back(pages.segment());
    writeImageFile(to, state, "{}", tables);
    pages.keep();
    return std::make_shared<Image>(to);
  }

  std::string deltaPath() const { return second.path() + "/pages.bin"; }
};

// Its modification time tells, however coarse the clock of the file system is.
void replace(const std::string& path, const std::string& bytes) {
  overwrite(path, bytes);
  std::filesystem::last_write_time(path, std::filesystem::last_write_time(path) + std::chrono::seconds(1));
}

std::string runsOf(const Image& image) { return describe(image.state().processes[0].runs); }

}  // namespace

TEST_CASE("a delta of a delta appends what differs to the same file, and refers to the rest where it lies") {
  Chain chain;
  CHECK(runsOf(*chain.delta) == "1280+2@0 1288+1@4 ");
  CHECK(runsOf(*chain.appended) == "1280+1@5 1281+1@1 1288+1@4 ");
  CHECK(std::filesystem::hard_link_count(chain.deltaPath()) == 2);
  CHECK(chain.appended->segments().size() == 2);
  CHECK(chain.appended->base().bytes == kSeedPages * kPageSize);
  CHECK(pagesRefusal(chain.second.path()) == "");
  CHECK(pagesRefusal(chain.third.path()) == "");
}

TEST_CASE("segments that an image has no page of any more are not its own") {
  Chain chain;
  TemporaryDirectory fourth;
  auto image = Chain::save(chain.appended, fourth.path(), "ZbY");
  CHECK(runsOf(*image) == "1280+1@5 1281+1@1 1288+1@6 ");
  REQUIRE(image->segments().size() == 2);
  CHECK(image->segments()[0].from == 5 * kPageSize);
}

TEST_CASE("what one image wrote is checked for each that needs it, and for no other") {
  Chain chain;
  std::string bytes = readFile(chain.deltaPath()), altered = bytes;
  altered[5 * kPageSize]++;
  replace(chain.deltaPath(), altered);
  CHECK(pagesRefusal(chain.second.path()) == "");
  CHECK(contains(pagesRefusal(chain.third.path()), "pages.bin: the checksum of chunk 0 (bytes 20480 on) is wrong"));
  replace(chain.deltaPath(), bytes.substr(0, bytes.size() - 1));
  CHECK(pagesRefusal(chain.second.path()) == "");
  CHECK(contains(pagesRefusal(chain.third.path()), "pages.bin has 24575 bytes where the image says 24576"));
}

TEST_CASE("what was appended and not kept is cut off again; what a crash left is never referred to") {
  Chain chain;
  uint64_t before = std::filesystem::file_size(chain.deltaPath());
  {
    PageWriter pages(chain.deltaPath(), openToAppend(chain.deltaPath()));
    pages.append(std::string(kPageSize, 'q').data(), kPageSize);
    CHECK(std::filesystem::file_size(chain.deltaPath()) == before + kPageSize);
  }
  CHECK(std::filesystem::file_size(chain.deltaPath()) == before);
  replace(chain.deltaPath(), readFile(chain.deltaPath()) + "half a page");
  TemporaryDirectory fourth;
  auto image = Chain::save(chain.appended, fourth.path(), "ZbY");
  CHECK(runsOf(*image) == "1280+1@5 1281+1@1 1288+1@7 ");
  CHECK(pagesRefusal(chain.third.path()) == "");
  CHECK(pagesRefusal(fourth.path()) == "");
}

TEST_CASE("two never append to one file, nor anybody to one that was not checked") {
  Chain chain;
  UniqueFd one = openToAppend(chain.deltaPath());
  CHECK(one.valid());
  CHECK_FALSE(openToAppend(chain.deltaPath()).valid());
  one.reset();
  replace(chain.deltaPath(), readFile(chain.deltaPath()));
  CHECK_FALSE(openToAppend(chain.deltaPath()).valid());
}

TEST_CASE("a page file of which little is needed is not appended to") {
  Chain chain;
  std::filesystem::resize_file(chain.deltaPath(), 64 << 20);
  chain.appended->verifyPages();
  TemporaryDirectory fourth;
  LinkedPages linked = linkEarlierPages(chain.appended, fourth.path(), true);
  CHECK_FALSE(linked.file.valid());
  CHECK(describe(linked.earlier->runsOf(3)) == "1281+1@1 ");
}

TEST_CASE("pages outside of what the image says it has are refused") {
  Chain chain;
  State state = chain.appended->state();
  PageTables tables{chain.appended->base(), chain.appended->segments(), {}};
  auto refusal = [&](const State& changed, const PageTables& pages) {
    std::filesystem::remove(chain.third.path() + "/image.bin");
    writeImageFile(chain.third.path(), changed, "{}", pages);
    return pagesRefusal(chain.third.path());
  };
  CHECK(refusal(state, tables) == "");
  PageTables without = tables;
  without.segments.erase(without.segments.begin());
  CHECK(contains(refusal(state, without), "a page run is outside of the page files"));
  PageTables twice = tables;
  twice.segments.push_back(tables.segments[0]);
  CHECK(contains(refusal(state, twice), "a segment of pages is broken"));
  State beyond = state;
  beyond.processes[0].runs[0].position += kPageSize;
  CHECK(contains(refusal(beyond, tables), "a page run is outside of the page files"));
  PageTables whole = tables;
  whole.base = {};
  CHECK(contains(refusal(state, whole), "in several segments"));
}
