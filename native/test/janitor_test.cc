#include "keeper/janitor.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "test/seed_image.h"

namespace fs = std::filesystem;
using namespace appshot;

namespace {

struct Directory {
  TemporaryDirectory own;
  std::string path = own.path();

  std::string tree(const std::string& name) const {
    fs::create_directories(path + "/" + name + "/below");
    std::ofstream(path + "/" + name + "/below/file") << "text";
    return path + "/" + name;
  }
  bool hasTrash() const { return !fs::is_empty(path + "/trash"); }
};

}  // namespace

TEST_CASE("a tree is out of the way at once, and removed when nothing is urgent") {
  Directory busy, calm;
  Quiet urgently, quietly;
  Janitor waiting(busy.path + "/trash", urgently), working(calm.path + "/trash", quietly);
  auto urgent = std::make_unique<Quiet::Urgent>(urgently);
  for (Janitor* janitor : {&waiting, &working}) janitor->start();
  waiting.remove(busy.tree("gone"));
  working.remove(calm.tree("gone"));
  // It ends when all is removed: the other would have had the time.
  working.close();
  CHECK(!fs::exists(busy.path + "/gone"));
  CHECK(busy.hasTrash());
  urgent.reset();
  waiting.close();
  CHECK(fs::is_empty(busy.path));
}
