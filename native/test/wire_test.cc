#include "keeper/wire.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "core/sys/error.h"

using namespace appshot;

namespace {

struct Pair {
  UniqueFd left, right;
  Pair() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    left = UniqueFd(ends[0]);
    right = UniqueFd(ends[1]);
  }
};

}  // namespace

TEST_CASE("messages of any size arrive, with the descriptors that were sent along") {
  Pair pair;
  std::string large(3 << 20, 'x');
  std::thread sender([&] {
    sendMessage(pair.left.get(), "small", {0, 1});
    sendMessage(pair.left.get(), large);
    sendMessage(pair.left.get(), "");
    pair.left.reset();
  });
  auto first = receiveMessage(pair.right.get());
  CHECK(first->text == "small");
  CHECK(first->fds.size() == 2);
  auto second = receiveMessage(pair.right.get());
  CHECK(second->text == large);
  CHECK(second->fds.empty());
  CHECK(receiveMessage(pair.right.get())->text.empty());
  CHECK_FALSE(receiveMessage(pair.right.get()).has_value());
  sender.join();
}

TEST_CASE("a bell is heard once for each message, and so is the end of who would ring it") {
  Pair pair;
  UniqueFd bell = makeBell();
  std::thread sender([&] {
    sendMessage(pair.left.get(), "one");
    sendMessage(pair.left.get(), "two");
    ring(bell.get());
    ring(bell.get());
  });
  for (const char* text : {"one", "two"}) {
    awaitBell(bell.get(), pair.right.get());
    CHECK(receiveMessage(pair.right.get())->text == text);
  }
  sender.join();
  uint64_t more;
  CHECK(::read(bell.get(), &more, sizeof more) < 0);
  std::thread leaver([&] { pair.left.reset(); });
  awaitBell(bell.get(), pair.right.get());
  CHECK_FALSE(receiveMessage(pair.right.get()).has_value());
  leaver.join();
}

TEST_CASE("what is no message is refused") {
  Pair tooLong;
  REQUIRE(::write(tooLong.left.get(), "\xff\xff\xff\xff", 4) == 4);
  CHECK_THROWS_AS(receiveMessage(tooLong.right.get()), Error);
  Pair cutOff;
  REQUIRE(::write(cutOff.left.get(), "\x05\0\0\0ab", 6) == 6);
  cutOff.left.reset();
  CHECK_THROWS_AS(receiveMessage(cutOff.right.get()), Error);
}
