#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "core/fill/working_set.h"
#include "core/image/page_file.h"
#include "core/snapshot/likely_pages.h"
#include "core/snapshot/gadgets.h"
#include "core/snapshot/pagemap.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"
#include "test/seed_image.h"

using namespace appshot;

namespace {

constexpr size_t kPage = 4096;

struct Mapping {
  char* memory;
  size_t bytes;
  explicit Mapping(size_t pages, int flags = MAP_PRIVATE | MAP_ANONYMOUS)
      : memory(static_cast<char*>(::mmap(nullptr, pages * kPage, PROT_READ | PROT_WRITE, flags, -1, 0))), bytes(pages * kPage) {
    ::madvise(memory, bytes, MADV_NOHUGEPAGE);
  }
  ~Mapping() { ::munmap(memory, bytes); }
  uint64_t at(size_t page) const { return reinterpret_cast<uint64_t>(memory) + page * kPage; }
};

}  // namespace

TEST_CASE("only written pages of a process's own memory are saved") {
  Mapping area(16);
  for (size_t page : {1, 2, 3, 9}) area.memory[page * kPage] = 1;
  [[maybe_unused]] volatile char zero = area.memory[5 * kPage];  // read only: the zero page
  std::vector<PageRange> ranges = privatePages(::getpid(), area.at(0), area.at(16));
  REQUIRE(ranges.size() == 2);
  CHECK(ranges[0].start == area.at(1));
  CHECK(ranges[0].end == area.at(4));
  CHECK(ranges[1].start == area.at(9));
  CHECK(ranges[1].end == area.at(10));
  ::madvise(area.memory + kPage, kPage, MADV_DONTNEED);
  CHECK(privatePages(::getpid(), area.at(0), area.at(2)).empty());
}

TEST_CASE("scattered pages are each found once, however many there are") {
  constexpr size_t kWritten = 5000;
  Mapping area(2 * kWritten);
  for (size_t i = 0; i < kWritten; i++) area.memory[2 * i * kPage] = 1;
  std::vector<PageRange> ranges = privatePages(::getpid(), area.at(0), area.at(2 * kWritten));
  REQUIRE(ranges.size() == kWritten);
  for (size_t i = 0; i < kWritten; i++) {
    REQUIRE(ranges[i].start == area.at(2 * i));
    REQUIRE(ranges[i].end == area.at(2 * i + 1));
  }
}

TEST_CASE("a private file page is saved once it is written") {
  TemporaryDirectory directory;
  std::string path = directory.path() + "/file";
  std::ofstream(path) << std::string(4 * kPage, 'f');
  UniqueFd fd = sysFd("open", [&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
  auto* memory = static_cast<char*>(::mmap(nullptr, 4 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd.get(), 0));
  REQUIRE(memory != MAP_FAILED);
  auto start = reinterpret_cast<uint64_t>(memory);
  [[maybe_unused]] volatile char read = memory[0];
  memory[2 * kPage] = 'w';
  std::vector<PageRange> ranges = privatePages(::getpid(), start, start + 4 * kPage);
  ::munmap(memory, 4 * kPage);
  REQUIRE(ranges.size() == 1);
  CHECK(ranges[0].start == start + 2 * kPage);
  CHECK(ranges[0].end == start + 3 * kPage);
}

TEST_CASE("threads with nasty names are read") {
  for (const char* name : {"a) S 1 (b", ")))", "(", " ) R ", "tab\there", "new\nline"}) {
    CAPTURE(name);
    std::string stat, status;
    std::thread([&] {
      ::prctl(PR_SET_NAME, name);
      std::string who = std::to_string(::getpid()) + "/task/" + std::to_string(::gettid());
      ProcStat read = readProcStat(who);
      CHECK(read.comm == name);
      CHECK(read.state == 'R');
      CHECK(read.number(4) == static_cast<uint64_t>(::getppid()));
      CHECK(readProcStatus(who)["Tgid"] == std::to_string(::getpid()));
    }).join();
  }
}

TEST_CASE("maps and their flags are read") {
  Mapping area(3);
  ::madvise(area.memory, area.bytes, MADV_DONTDUMP);
  std::vector<MapLine> maps = readMaps("self");
  auto found = std::find_if(maps.begin(), maps.end(), [&](const MapLine& line) { return line.start <= area.at(0) && line.end >= area.at(3); });
  REQUIRE(found != maps.end());
  CHECK(std::string(found->perms) == "rw-p");
  CHECK(found->path == "");
  CHECK(std::any_of(maps.begin(), maps.end(), [](const MapLine& line) { return line.path == "[vdso]"; }));
  CHECK(readVmFlags("self").at(found->start).find(" dd ") != std::string::npos);
  CHECK(virtualPid(::getpid()) == ::getpid());
}

TEST_CASE("a file with blanks and line breaks in its name is mapped under its name") {
  TemporaryDirectory directory;
  std::string path = directory.path() + "/a b (deleted)";
  std::ofstream(path) << std::string(kPage, 'x');
  UniqueFd fd = sysFd("open", [&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
  void* memory = ::mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  std::vector<MapLine> maps = readMaps("self");
  ::munmap(memory, kPage);
  CHECK(std::any_of(maps.begin(), maps.end(), [&](const MapLine& line) { return line.path == path; }));
}

TEST_CASE("the C library has the instructions to leave over, at the addresses that are given") {
  Gadgets gadgets = findGadgets(::getpid(), readMaps("self"));
  REQUIRE(gadgets.syscallReturn != 0);
  REQUIRE(gadgets.sigreturn != 0);
  auto* instruction = reinterpret_cast<const unsigned char*>(gadgets.syscallReturn);
  CHECK(instruction[0] == 0x0f);
  CHECK(instruction[1] == 0x05);
  CHECK(instruction[2] == 0xc3);
}

TEST_CASE("a working set is sorted by use, forgets what was not missed for long, and a broken one is empty") {
  TemporaryDirectory directory, other;
  std::string path = directory.path() + "/working-set.bin";
  CHECK(readWorkingSet(directory.path()).empty());
  addToWorkingSet(directory.path(), {{3, 0, 0x3000, 5}, {3, 0, 0x1000, 2}, {4, 0, 0x1000, 1}});
  addToWorkingSet(directory.path(), {{3, 0, 0x3000, 0}, {3, 0, 0x9000, 9000}});
  copyWorkingSet(directory.path(), other.path());
  std::vector<TouchedPage> pages = readWorkingSet(other.path());
  REQUIRE(pages.size() == 4);
  CHECK(pages[0].address == 0x3000);
  CHECK(pages[1].pid == 4);
  CHECK(pages[2].address == 0x1000);
  CHECK(pages[3].address == 0x9000);
  auto wakes = [&](int count, const std::vector<TouchedPage>& missed) {
    for (int i = 0; i < count; i++) addToWorkingSet(other.path(), missed);
    return readWorkingSet(other.path()).size();
  };
  // What was missed late, and once, is tried again soon; what was missed again stays for long.
  CHECK(wakes(8, {{3, 0, 0x1000, 2}}) == 3);
  CHECK(wakes(1, {{3, 0, 0x9000, 9000}}) == 4);
  CHECK(wakes(32, {{3, 0, 0x1000, 2}}) == 3);
  CHECK(wakes(130, {{3, 0, 0x1000, 2}}) == 1);
  CHECK(readWorkingSet(other.path())[0].address == 0x1000);
  std::string whole = readFile(path);
  for (size_t at = 0; at < whole.size(); at++) {
    std::string broken = whole;
    broken[at]++;
    overwrite(path, broken);
    REQUIRE(readWorkingSet(directory.path()).empty());
    overwrite(path, whole.substr(0, at));
    REQUIRE(readWorkingSet(directory.path()).empty());
  }
}

TEST_CASE("what was guessed of a working set is forgotten after some wakes, unless it is missed") {
  TemporaryDirectory directory;
  std::vector<TouchedPage> guessed;
  for (uint64_t i = 0; i < 64; i++) guessed.push_back({3, 0, i * kPageSize, static_cast<uint32_t>(kGuessedRank + i)});
  guessWorkingSet(directory.path(), guessed);
  CHECK(readWorkingSet(directory.path()).size() == 64);
  addToWorkingSet(directory.path(), {{3, 0, 5 * kPageSize, 7}});
  size_t left = readWorkingSet(directory.path()).size();
  CHECK(left > 32);
  CHECK(left < 64);
  CHECK(readWorkingSet(directory.path()).front().address == 5 * kPageSize);
  for (int wake = 0; wake < 8; wake++) addToWorkingSet(directory.path(), {});
  CHECK(readWorkingSet(directory.path()).size() == 1);
  // What was missed stays in front, also when it lies near another page that is missed.
  addToWorkingSet(directory.path(), {{3, 0, 5 * kPageSize, kAroundRank}, {3, 0, 6 * kPageSize, kAroundRank + 1}});
  REQUIRE(readWorkingSet(directory.path()).size() == 2);
  CHECK(readWorkingSet(directory.path()).front().rank == 7);
}

TEST_CASE("a program that was never woken is likely to need what lies in its small ranges of memory") {
  State state = seedState();
  state.processes.pop_back();
  Process& process = state.processes[0];
  uint32_t anonymous = static_cast<uint32_t>(VmaKind::Anonymous);
  process.vmas = {{0x10000, 0x20000, 0, 3, anonymous, 0, 0}, {0x100000, 0x100000 + (kMostGuessed + 1) * kPageSize, 0, 3, anonymous, 0, 0},
                  {0x7000000, 0x7003000, 0, 3, anonymous, 0, kAdviceGrowsDown}, {0x8000000, 0x8003000, 0, 3, anonymous, 0, 0}};
  process.runs = {{0x10000, 16, 0}, {0x100000, kMostGuessed, 0}, {0x7000000, 3, 0}, {0x8001000, 2, 0}};
  std::vector<TouchedPage> pages = likelyPages(state);
  REQUIRE(pages.size() == 18);
  CHECK(pages.front().address == 0x8001000);
  CHECK(pages.back().address == 0x1f000);
  CHECK(pages.back().rank == kGuessedRank + 17);
}
