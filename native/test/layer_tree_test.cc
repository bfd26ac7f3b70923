#include "keeper/layer_tree.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "core/pod/file_view.h"
#include "core/sys/sys.h"
#include "test/seed_image.h"

namespace fs = std::filesystem;
using namespace appshot;

namespace {

// Layers in a directory of the test's own. Whiteouts and overlays need root.
class Layers {
 public:
  Layers() {
    for (const char* made : {"base", "one", "two", "merged"}) fs::create_directory(at(made));
  }

  std::string at(const std::string& path) const { return top_.path() + "/" + path; }
  void file(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(at(path)).parent_path());
    std::ofstream(at(path)) << text;
  }
  void whiteout(const std::string& path) const {
    fs::create_directories(fs::path(at(path)).parent_path());
    REQUIRE(::mknod(at(path).c_str(), S_IFCHR, makedev(0, 0)) == 0);
  }
  void opaque(const std::string& path) const {
    fs::create_directories(at(path));
    REQUIRE(::setxattr(at(path).c_str(), "trusted.overlay.opaque", "y", 1, 0) == 0);
  }

 private:
  TemporaryDirectory top_;
};

// Every file that an overlay of these layers shows, and its text.
std::map<std::string, std::string> shown(const std::vector<std::string>& lowers) {
  UniqueFd mount = mountOverlay(lowers, "", "");
  std::string root = "/proc/self/fd/" + std::to_string(mount.get());
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(root + "/.")) {
    std::string path = entry.path().string().substr(root.size() + 3);
    files[path] = entry.is_directory() ? "directory" : readFile(entry.path());
  }
  return files;
}

}  // namespace

TEST_CASE("merged layers read as the layers on top of each other" * doctest::skip(::getuid() != 0)) {
  Layers layers;
  layers.file("base/kept", "base");
  layers.file("base/removed", "base");
  layers.file("base/replaced/inside", "base");
  layers.file("base/hidden/inside", "base");
  layers.file("base/becomes-directory", "base");
  layers.file("base/removed-then-made/inside", "base");
  layers.file("one/changed", "one");
  layers.file("one/deep/first", "one");
  layers.whiteout("one/removed");
  layers.whiteout("one/removed-then-made");
  layers.file("one/only-in-one", "one");
  layers.file("one/becomes-directory", "one");
  layers.file("two/changed", "two");
  layers.file("two/deep/second", "two");
  layers.opaque("two/hidden");
  layers.file("two/hidden/other", "two");
  layers.whiteout("two/only-in-one");
  fs::create_directories(layers.at("two/removed-then-made"));
  layers.opaque("two/becomes-directory");
  layers.file("two/becomes-directory/inside", "two");
  auto expected = shown({layers.at("two"), layers.at("one"), layers.at("base")});
  mergeLayerTree(layers.at("one"), layers.at("merged"));
  mergeLayerTree(layers.at("two"), layers.at("merged"));
  CHECK(shown({layers.at("merged"), layers.at("base")}) == expected);
  CHECK(expected.at("changed") == "two");
  CHECK(expected.count("removed") == 0);
}

TEST_CASE("a copied layer looks the same and shares nothing" * doctest::skip(::getuid() != 0)) {
  Layers layers;
  layers.file("one/text", "before");
  layers.whiteout("one/gone");
  layers.opaque("one/opaque");
  fs::create_symlink("text", layers.at("one/link"));
  fs::create_hard_link(layers.at("one/text"), layers.at("one/same"));
  REQUIRE(::chown(layers.at("one/text").c_str(), 12345, 12345) == 0);
  copyLayerTree(layers.at("one"), layers.at("two"), LayerFiles::kCopied);
  std::ofstream(layers.at("one/text")) << "after";
  struct stat copy {}, same {};
  REQUIRE(::stat(layers.at("two/text").c_str(), &copy) == 0);
  REQUIRE(::stat(layers.at("two/same").c_str(), &same) == 0);
  CHECK(readFile(layers.at("two/text")) == "before");
  CHECK(copy.st_uid == 12345);
  CHECK(copy.st_ino == same.st_ino);
  CHECK(readLink(layers.at("two/link")) == "text");
  CHECK(shown({layers.at("two"), layers.at("base")}) == std::map<std::string, std::string>{
      {"text", "before"}, {"same", "before"}, {"link", "before"}, {"opaque", "directory"}});
}
