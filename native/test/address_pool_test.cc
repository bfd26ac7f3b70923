#include "core/pod/address_pool.h"

#include <doctest/doctest.h>

#include "core/pod/network.h"
#include "core/pod/owner.h"

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

TEST_CASE("names of two engines differ, and an interface's fits") {
  CHECK(ownerOf("/a") != ownerOf("/b"));
  CHECK(linkNameOf(ownerOf("/some/directory"), kPodNumbers).size() <= 15);
}
