#include "core/pod/address_pool.h"

#include <doctest/doctest.h>

#include "core/pod/network.h"
#include "core/pod/owner.h"
#include "core/sys/sys.h"

using namespace appshot;

TEST_CASE("the address that has been free for the longest is given first") {
  AddressPool pool;
  pool.configure({addressOf("10.0.0.1"), addressOf("10.0.0.2")});
  in_addr first = *pool.take();
  CHECK(textOf(first) == "10.0.0.1");
  pool.giveBack(first);
  CHECK(textOf(*pool.take()) == "10.0.0.2");
  CHECK(textOf(*pool.take()) == "10.0.0.1");
  CHECK_FALSE(pool.take().has_value());
}

TEST_CASE("an address that was withdrawn while it was in use is not given again") {
  AddressPool pool;
  pool.configure({addressOf("10.0.0.1"), addressOf("10.0.0.2")});
  in_addr taken = *pool.take();
  pool.configure({addressOf("10.0.0.2")});
  pool.giveBack(taken);
  CHECK(pool.free() == 1);
  CHECK(textOf(*pool.take()) == "10.0.0.2");
}

TEST_CASE("an address that an adopted pod has is not given") {
  AddressPool pool;
  pool.markTaken(addressOf("10.0.0.1"));
  pool.configure({addressOf("10.0.0.1")});
  CHECK_FALSE(pool.take().has_value());
  pool.giveBack(addressOf("10.0.0.1"));
  CHECK(pool.take().has_value());
}

TEST_CASE("an address that is held is given to nobody but who claims it, until its time has passed") {
  AddressPool pool;
  pool.configure({addressOf("10.0.0.1")});
  in_addr address = *pool.take();
  CHECK_FALSE(pool.claim(address));
  pool.hold({address, "image", monotonicUs() + 60e6});
  CHECK_FALSE(pool.claim(address));  // its pod is still there
  pool.giveBack(address);
  CHECK_FALSE(pool.take().has_value());
  pool.configure({addressOf("10.0.0.2")});
  CHECK(pool.claim(address));
  CHECK_FALSE(pool.claim(address));
  pool.configure({addressOf("10.0.0.1")});
  pool.hold({address, "image", monotonicUs() - 1});
  pool.giveBack(address);
  CHECK(pool.take().has_value());
}

TEST_CASE("a hold ends with its image, or when its address is not the engine's any more") {
  in_addr first = addressOf("10.0.0.1"), second = addressOf("10.0.0.2");
  AddressPool pool;
  pool.configure({first, second});
  // As after a restart: no pod has them.
  pool.hold({first, "one", monotonicUs() + 60e6});
  pool.hold({second, "two", monotonicUs() + 60e6});
  CHECK_FALSE(pool.take().has_value());
  pool.endHold("one");
  CHECK(pool.held().size() == 1);
  CHECK(pool.take()->s_addr == first.s_addr);
  pool.endHoldsBut({first});
  CHECK(pool.held().empty());
  CHECK(pool.take()->s_addr == second.s_addr);
}

TEST_CASE("names of two engines differ, and an interface's fits") {
  CHECK(ownerOf("/a") != ownerOf("/b"));
  CHECK(linkNameOf(ownerOf("/some/directory"), kPodNumbers).size() <= 15);
}
