// Images whose pages are compressed.
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>

#include "core/image/image.h"
#include "core/sys/sys.h"
#include "test/seed_image.h"

using namespace appshot;

TEST_CASE("compressed pages are read as they were, and no file of theirs is left") {
  TemporaryDirectory directory;
  writeSeedCompressed(directory.path());
  Image image(directory.path());
  image.verifyPages();
  std::string page(kPageSize, '\0');
  CHECK(::pread(image.pagesFd(), page.data(), page.size(), 3 * kPageSize) == static_cast<ssize_t>(kPageSize));
  CHECK(page == std::string(kPageSize, 'a'));
  CHECK(listDirectory(directory.path()).size() == 2);
  CHECK(std::filesystem::file_size(directory.path() + "/pages.zst") < kPageSize);
}

TEST_CASE("compressed pages that are cut off, altered, longer or missing are refused with the place") {
  TemporaryDirectory directory;
  writeSeedCompressed(directory.path());
  std::string path = directory.path() + "/pages.zst", whole = readFile(path);
  for (size_t length = 0; length < whole.size(); length++) {
    overwrite(path, whole.substr(0, length));
    REQUIRE(pagesRefusal(directory.path()).find("pages.zst ends in the middle") != std::string::npos);
  }
  size_t refused = 0;
  for (size_t at = 0; at < whole.size(); at++) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x55);
    overwrite(path, changed);
    // A bit that the format does not use changes nothing of the pages.
    std::string why = pagesRefusal(directory.path());
    if (why.empty()) continue;
    refused++;
    REQUIRE(why.find("chunk 0") != std::string::npos);
  }
  CHECK(refused * 2 > whole.size());
  overwrite(path, whole + "x");
  CHECK(pagesRefusal(directory.path()).find("something behind the last chunk") != std::string::npos);
  overwrite(path, whole);
  CHECK(pagesRefusal(directory.path()).empty());
  std::filesystem::remove(path);
  CHECK(pagesRefusal(directory.path()).find("pages.zst is missing") != std::string::npos);
}
