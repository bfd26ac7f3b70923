// What an image needs of the machine: each difference is refused by name, before anything is made.
#include "core/image/environment.h"

#include <doctest/doctest.h>

#include "core/sys/error.h"

using namespace appshot;

namespace {

std::string refusalOf(const Environment& image) {
  try {
    checkEnvironment(image);
    return "";
  } catch (const Error& error) {
    CHECK(error.code() == "environment-mismatch");
    return error.what();
  }
}

}  // namespace

TEST_CASE("an image of this machine is accepted, one of another is refused with what differs") {
  const Environment here = readEnvironment();
  CHECK(refusalOf(here) == "");
  auto changed = [&](auto&& change) {
    Environment other = here;
    change(other);
    return refusalOf(other);
  };
  CHECK(changed([](Environment& e) { e.kernel = "5.15.0-old"; }) == "the kernel differs: the image was made with 5.15.0-old, this machine has " + here.kernel);
  CHECK(changed([](Environment& e) { e.vdsoHash++; }).find("the kernel's vdso differs") == 0);
  CHECK(changed([](Environment& e) { e.xsaveSize += 64; }).find("the size of the CPU's register area differs") == 0);
  CHECK(changed([](Environment& e) { e.xfeatures |= 1ull << 40; }).find("the set of CPU register features differs") == 0);
  CHECK(changed([](Environment& e) { e.cpu = "OtherVendor 1"; }).find("the CPU differs: the image was made with OtherVendor 1") == 0);
}

TEST_CASE("a machine that can more than the image needs is good enough") {
  Environment less = readEnvironment();
  less.xfeatures &= 7;  // x87, SSE, AVX
  CHECK(refusalOf(less) == "");
}
