#include <doctest/doctest.h>

#include "core/sys/error.h"
#include "core/template/evaluation.h"

using namespace appshot;

namespace {

Rule define(const char* tag, const char* property) { return {0, 1, tag, property, "", false}; }
Rule define(const char* tag, const char* property, const char* fallback) { return {0, 1, tag, property, fallback, true}; }
Rule redirect(const char* from, const char* to) { return {1, 1, from, to, "", false}; }
Rule setEnv(const char* name, const char* value) { return {2, 1, name, value, "", false}; }

struct Instance {
  std::vector<Rule> rules;
  std::vector<std::string> environment = {"ZONE=north", "HOME=/home/<ID>"};
  std::string name = "shop";
  Identity identity{"a1", "node-7", "10.1.2.3"};
  Evaluation evaluation() const { return Evaluation(rules, name, identity, environment); }
};

}  // namespace

TEST_CASE("a tag is looked up in the instance, then in its default, else it stands as text") {
  Instance instance{{define("ID", "application-ID"), define("APP", "application-name"), define("NODE", "node-ID"), define("IP", "instance-IP"),
                     define("ZONE", "env:ZONE"), define("LACKING", "env:NOT_SET"), define("ELSE", "env:NOT_SET", "of <APP>")}};
  CHECK(instance.evaluation().text("<APP>/<ID>@<NODE> <IP> <ZONE>") == "shop/a1@node-7 10.1.2.3 north");
  CHECK(instance.evaluation().text("<ELSE> <LACKING> <UNKNOWN> < ID > <") == "of shop <LACKING> <UNKNOWN> < ID > <");
  instance.identity.node = "";
  CHECK(instance.evaluation().text("<NODE>") == "<NODE>");
}

TEST_CASE("nested references resolve from the inside, and through variables") {
  Instance instance{{define("ID", "application-ID"), define("ZONE", "env:ZONE"), define("AT-north", "env:HOME"), define("HERE", "env:HERE")}};
  CHECK(instance.evaluation().text("<AT-<ZONE>>/x") == "/home/a1/x");
  instance.environment.push_back("HERE=<THERE>");
  instance.rules.push_back(define("THERE", "env:HERE"));
  CHECK_THROWS_AS(instance.evaluation().text("<HERE>"), Error);
}

TEST_CASE("a redirection leads on through other redirections, the innermost first") {
  Instance instance{{define("ID", "application-ID"), redirect("/srv/data", "/var/<ID>"), redirect("/var/a1/cache", "/tmp/cache-<ID>"), redirect("/etc/shop", "/srv/data/cache/etc")}};
  CHECK(instance.evaluation().redirects() == std::vector<std::string>{"/var/a1", "/tmp/cache-a1", "/tmp/cache-a1/etc"});
  CHECK(instance.evaluation().path("/srv/data/cache/x") == "/tmp/cache-a1/x");
  CHECK(instance.evaluation().path("/srv/database") == "/srv/database");
}

TEST_CASE("what comes out of tags has to be a plain path") {
  Instance instance{{define("Z", "env:ZONE")}};
  instance.environment = {"ZONE=../../etc"};
  CHECK_THROWS_WITH_AS(instance.evaluation().path("/srv/<Z>"), "the rule's path /srv/<Z> comes out as '/srv/../../etc', which is no plain absolute path", Error);
  instance.environment = {"ZONE="};
  CHECK_THROWS_AS(instance.evaluation().path("/srv/<Z>"), Error);
  instance.rules = {redirect("/a", "/b"), redirect("/b", "/a")};
  CHECK_THROWS_AS(instance.evaluation().path("/a"), Error);
}

TEST_CASE("SET ENV wins over what the application was given, and every variable is evaluated") {
  Instance instance{{define("ID", "application-ID"), setEnv("ZONE", "south-<ID>")}};
  CHECK(instance.evaluation().environment() == std::vector<std::string>{"HOME=/home/a1", "ZONE=south-a1"});
}
