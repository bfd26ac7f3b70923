#include <doctest/doctest.h>

#include "core/image/image.h"
#include "core/image/template_records.h"
#include "core/sys/error.h"
#include "core/template/classify.h"
#include "core/template/references.h"
#include "test/seed_image.h"

using namespace appshot;

namespace {

Rule override(const char* verb, const char* kind, const char* resource) { return {3, 7, resource, verb, kind, true}; }

Traits traits(ResourceType type, const char* path = "") {
  Traits all;
  // As much as can speak for anything.
  all.type = type;
  all.path = path;
  all.shared = all.modifiable = all.largeWithObject = all.exported = true;
  all.unique = Traits::Unique::OnSystem;
  return all;
}

}  // namespace

TEST_CASE("the criteria decide in their order") {
  Traits one = traits(ResourceType::Memory, "nginx");
  std::vector<Rule> rules = {override("duplicate", "memory", "nginx")};
  CHECK(classify(one, rules).cloneClass == CloneClass::Duplicate);
  CHECK(whyOf(classify(one, rules)) == "the rule in line 7 says so");
  CHECK(classify(one, {}).cloneClass == CloneClass::Share);
  one.shared = false;
  CHECK(classify(one, {}).cloneClass == CloneClass::CopyOnWrite);
  one.largeWithObject = false;
  CHECK(classify(one, {}).cloneClass == CloneClass::Duplicate);
  one.modifiable = false;
  CHECK(classify(one, {}).cloneClass == CloneClass::Multiplex);
  one.exported = false;
  CHECK(classify(one, {}).cloneClass == CloneClass::Virtualize);
  one.unique = Traits::Unique::OnNetwork;
  CHECK(classify(one, {}).cloneClass == CloneClass::Allocate);
  one.unique = Traits::Unique::No;
  CHECK(classify(one, {}).cloneClass == CloneClass::Recreate);
}

TEST_CASE("a rule is about what it names, and nothing beside it") {
  std::vector<Rule> rules = {override("duplicate", "path", "/srv/data"), override("virtualize", "port", "9229"), override("duplicate", "memory", "*")};
  auto line = [&](ResourceType type, const char* path) { return classify(traits(type, path), rules).line; };
  CHECK(line(ResourceType::OpenFile, "/srv/data/x") == 7);
  CHECK(line(ResourceType::OpenFile, "/srv/database") == 0);
  CHECK(line(ResourceType::Port, "9229") == 7);
  CHECK(line(ResourceType::Port, "92") == 0);
  CHECK(line(ResourceType::Memory, "whatever") == 7);
  CHECK(duplicatesMemory(rules, "whatever"));
  CHECK_FALSE(duplicatesMemory({override("duplicate", "memory", "postgres")}, "nginx"));
}

TEST_CASE("every resource of an image has a class, and its record comes back as it was") {
  TemporaryDirectory directory;
  writeSeedImage(directory.path());
  Image image(directory.path());
  const State& state = image.state();
  std::vector<ClassifiedResource> all = classifyAll(state, {3000, {"/data"}, 100, "10.0.0.1"}, {});
  CHECK(all.size() > state.processes.size());
  for (const ClassifiedResource& resource : all) {
    ClassifiedResource read = decodeResource(resource.identity, encodeResource(resource));
    CHECK(read.cloneClass == resource.cloneClass);
    CHECK(read.reason == resource.reason);
    CHECK(read.size == resource.size);
    CHECK(!whyOf(read).empty());
  }
}

TEST_CASE("broken records of rules and classes are refused") {
  Rule rule{1, 3, "/a", "/b/<ID>", "directory", true};
  std::string bytes = encodeRule(rule);
  CHECK(decodeRule(bytes).value == "/b/<ID>");
  for (size_t cut = 0; cut < bytes.size(); cut++) CHECK_THROWS_AS(decodeRule(bytes.substr(0, cut)), Error);
  CHECK_THROWS_AS(decodeRule(bytes + "x"), Error);
  bytes[0] = 9;
  CHECK_THROWS_AS(decodeRule(bytes), Error);
  CHECK_THROWS_AS(decodeResource("x", std::string(23, '\0')), Error);
  CHECK_THROWS_AS(decodeResource("x", std::string(24, '\xff')), Error);
}

TEST_CASE("an image holds the reference to a redirected file, by the innermost redirection") {
  State state;
  state.files.resize(3);
  state.files[0].path = "/srv/a1/config";
  state.files[1].path = "/srv/a1/deep/x";
  state.files[2].path = "/srv/a11";
  keepReferences(state, {"/srv/a1", "/srv/a1/deep"});
  CHECK(state.files[0].path == redirectLink(1) + "/config");
  CHECK(state.files[1].path == redirectLink(2) + "/x");
  CHECK(state.files[2].path == "/srv/a11");
}
