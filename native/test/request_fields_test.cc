#include "keeper/request_fields.h"

#include <doctest/doctest.h>

using namespace appshot;

TEST_CASE("a field of a wrong type, out of range or unknown is refused") {
  Json request = {{"text", "x"}, {"number", 5}, {"huge", 18446744073709551615u}, {"zero", std::string("a\0b", 3)}, {"list", {"a", 1}}};
  RequestFields fields(request, "test");
  CHECK(fields.text("text") == "x");
  CHECK(fields.number("number", 0, 10, 1) == 5);
  CHECK(fields.number("absent", 0, 10, 1) == 1);
  CHECK_THROWS_AS(fields.number("number", 6, 10, 7), Error);
  CHECK_THROWS_AS(fields.number("huge", 0, INT64_MAX, 0), Error);
  CHECK_THROWS_AS(fields.number("text", 0, 10, 0), Error);
  CHECK_THROWS_AS(fields.text("number"), Error);
  CHECK_THROWS_AS(fields.text("absent"), Error);
  CHECK_THROWS_AS(fields.text("zero"), Error);
  CHECK_THROWS_AS(fields.texts("list"), Error);
  CHECK_THROWS_AS(RequestFields(Json::array(), "test"), Error);
  Json unknown = {{"more", 1}};
  CHECK_THROWS_WITH_AS(RequestFields(unknown, "test").done(), "test: 'more' is not known", Error);
}

TEST_CASE("names are what may be a host name and a file name") {
  for (const char* good : {"A", "a-1", "a0123456789abc", "x.y_z"}) CHECK_NOTHROW(checkName(good, "AID"));
  for (const std::string& bad : {std::string(), std::string("-a"), std::string(".a"), std::string("a/b"), std::string("a b"), std::string(64, 'a'), std::string("\xc3\xa4")}) {
    CHECK_THROWS_AS(checkName(bad, "AID"), Error);
  }
}
