// Every mapped file has to be what it was.
#include "core/restore/mapped_files.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "core/image/build_id.h"
#include "core/sys/sys.h"
#include "test/seed_image.h"

using namespace appshot;

namespace {

// A copy of this test's own program, as an image would know it.
struct Program {
  TemporaryDirectory directory;
  std::string path = directory.path() + "/program";
  State state;
  Program() {
    std::filesystem::copy_file("/proc/self/exe", path);
    struct stat status{};
    ::stat(path.c_str(), &status);
    MappedFile file;
    file.path = path;
    file.size = static_cast<uint64_t>(status.st_size);
    file.mtimeNs = status.st_mtim.tv_sec * 1'000'000'000ll + status.st_mtim.tv_nsec;
    file.buildId = buildIdOf(path);
    state.mappedFiles = {file};
  }
  void touch() const { ::utimensat(AT_FDCWD, path.c_str(), std::vector<timespec>{{1, 2}, {3, 4}}.data(), 0); }
  std::string refusal() const {
    try {
      UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
      checkMappedFiles(state, root.get());
      return "";
    } catch (const Error& error) {
      CHECK(error.code() == "environment-mismatch");
      return error.what();
    }
  }
};

}  // namespace

TEST_CASE("a program that was installed again unchanged is accepted by its build-id") {
  Program program;
  REQUIRE(program.state.mappedFiles[0].buildId.size() == 40);
  CHECK(program.refusal() == "");
  program.touch();
  CHECK(program.refusal() == "");
}

TEST_CASE("a program that was changed or is gone is refused by name") {
  Program program;
  program.touch();
  program.state.mappedFiles[0].buildId[7] ^= 1;
  CHECK(program.refusal() == "the program's file " + program.path + " was changed since the image was made; deploy the app again");
  program.state.mappedFiles[0].buildId.clear();
  CHECK(program.refusal().find("was changed") != std::string::npos);
  program.state.mappedFiles[0].buildId = buildIdOf(program.path);
  std::filesystem::resize_file(program.path, 4096);
  CHECK(program.refusal().find("was changed") != std::string::npos);
  std::filesystem::remove(program.path);
  CHECK(program.refusal() == "the program's file " + program.path + " is gone; deploy the app again");
}

TEST_CASE("files without a build-id, broken ones and none at all have none") {
  TemporaryDirectory directory;
  std::string path = directory.path() + "/file", whole = readFile("/proc/self/exe").substr(0, 4096);
  CHECK(buildIdOf(directory.path()) == "");
  CHECK(buildIdOf(path) == "");
  for (size_t length : {0, 3, 63, 64, 100, 500, 1000}) {
    overwrite(path, whole.substr(0, length));
    buildIdOf(path);
  }
  overwrite(path, std::string(4096, 'x'));
  CHECK(buildIdOf(path) == "");
}
