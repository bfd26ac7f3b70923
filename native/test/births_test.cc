#include <doctest/doctest.h>

#include "core/restore/births.h"
#include "core/sys/error.h"

using namespace appshot;

namespace {

Process make(int32_t pid, int32_t parent, int32_t session, int32_t group = 0) {
  Process process;
  process.pid = pid;
  process.ppid = parent;
  process.sid = session;
  process.pgid = group ? group : session;
  process.comm = "program";
  return process;
}

Process ended(Process process) {
  process.zombie = true;
  return process;
}

struct Planned {
  State state;
  BirthPlan plan;
  explicit Planned(std::vector<Process> processes) {
    state.processes = std::move(processes);
    plan = planBirths(state);
  }
  const Birth& birthOf(int32_t pid) const {
    for (const Birth& birth : plan.births)
      if (birth.pid == pid) return birth;
    throw Error("not-found", "no such birth");
  }
  std::vector<int32_t> pids(const std::vector<size_t>& births) const {
    std::vector<int32_t> list;
    for (size_t birth : births) list.push_back(plan.births[birth].pid);
    return list;
  }
  using Pids = std::vector<int32_t>;
};

}  // namespace

TEST_CASE("children are made by their parents, sessions begun by their leaders") {
  Planned tree({make(3, 1, 3), make(4, 3, 3), make(5, 3, 5), make(6, 5, 5)});
  CHECK(tree.plan.first == tree.plan.root);
  CHECK(tree.pids(tree.birthOf(3).after) == Planned::Pids{4, 5});
  CHECK(tree.pids(tree.birthOf(5).after) == Planned::Pids{6});
  CHECK(tree.birthOf(5).leadsSession);
  CHECK_FALSE(tree.plan.gathersGroups());
}

TEST_CASE("a child in the session that its parent has left is made before") {
  Planned tree({make(3, 1, 3), make(4, 3, 4), make(5, 4, 3)});
  CHECK(tree.pids(tree.birthOf(4).before) == Planned::Pids{5});
}

TEST_CASE("a daemon whose session's leader has ended comes of that leader") {
  Planned alone({make(5, 1, 4)});
  CHECK(alone.plan.births[alone.plan.first].pid == 4);
  CHECK(alone.plan.births[alone.plan.first].leadsSession);
  CHECK(alone.plan.births[alone.plan.first].end == BirthEnd::AtOnce);
  CHECK(alone.pids(alone.plan.births[alone.plan.first].after) == Planned::Pids{5});
  Planned beside({make(3, 1, 3), make(5, 1, 4), make(6, 1, 4)});
  CHECK(beside.pids(beside.birthOf(3).after) == Planned::Pids{4});
  CHECK(beside.pids(beside.birthOf(4).after) == Planned::Pids{5, 6});
}

TEST_CASE("an orphan comes of somebody in its session, by a process between") {
  Planned tree({make(3, 1, 3), make(10, 3, 10), make(12, 1, 10)});
  REQUIRE(tree.birthOf(10).after.size() == 1);
  const Birth& between = tree.plan.births[tree.birthOf(10).after[0]];
  CHECK(between.end == BirthEnd::AtOnce);
  CHECK(between.process == nullptr);
  CHECK(tree.pids(between.after) == Planned::Pids{12});
}

TEST_CASE("a group whose leader has ended is led once more until all have joined") {
  Planned tree({make(3, 1, 3), make(5, 3, 3, 4)});
  CHECK(tree.birthOf(4).end == BirthEnd::AfterGroups);
  CHECK(tree.birthOf(4).leadsGroup);
  Planned zombie({make(3, 1, 3), ended(make(4, 3, 3, 4)), make(5, 3, 3, 4)});
  CHECK(zombie.birthOf(4).end == BirthEnd::Zombie);
  CHECK(zombie.plan.births.size() == 3);
}

TEST_CASE("a child in a session that nobody leads any more was made by its parent in that") {
  Planned tree({make(3, 1, 3), make(5, 3, 4)});
  CHECK(tree.plan.births[tree.plan.first].pid == 4);
  CHECK(tree.plan.births[tree.plan.first].leadsSession);
  CHECK(tree.pids(tree.birthOf(3).before) == Planned::Pids{5});
}

TEST_CASE("a child that only a subreaper can have got is refused elsewhere") {
  std::vector<Process> processes = {make(3, 1, 3), make(4, 3, 4), make(5, 3, 4)};
  CHECK_THROWS_WITH_AS(Planned(std::vector<Process>(processes)), "pid 5 (program) is in a session that its parent has left; not supported", Error);
  processes[0].subreaper = true;
  Planned tree(processes);
  CHECK(tree.birthOf(3).adopts);
  REQUIRE(tree.birthOf(4).after.size() == 1);
  CHECK(tree.pids(tree.plan.births[tree.birthOf(4).after[0]].after) == Planned::Pids{5});
}

TEST_CASE("an orphan comes past a subreaper that was none yet when it lost its parent") {
  std::vector<Process> processes = {make(3, 1, 3), make(4, 3, 4), make(5, 1, 4), make(6, 3, 4)};
  processes[0].subreaper = true;
  Planned tree(processes);
  const Birth &root = tree.birthOf(3), &leader = tree.birthOf(4);
  CHECK(root.adopts);
  CHECK(root.passing == 1);
  REQUIRE(leader.after.size() == 1);
  REQUIRE(leader.late.size() == 1);
  const Birth &past = tree.plan.births[leader.after[0]], &stays = tree.plan.births[leader.late[0]];
  CHECK(tree.pids(past.after) == Planned::Pids{5});
  CHECK(past.passes == std::vector<size_t>{tree.plan.root});
  CHECK(past.awaits == -1);
  CHECK(tree.pids(stays.after) == Planned::Pids{6});
  CHECK(stays.awaits == static_cast<int64_t>(tree.plan.root));
}

TEST_CASE("subreapers below each other get their orphans from the top down") {
  std::vector<Process> processes = {make(3, 1, 3), make(4, 3, 3), make(5, 4, 5), make(6, 1, 5), make(7, 3, 5), make(8, 4, 5)};
  processes[0].subreaper = processes[1].subreaper = true;
  Planned tree(processes);
  CHECK(tree.birthOf(3).passing == 1);
  CHECK(tree.birthOf(4).passing == 2);
  const Birth& leader = tree.birthOf(5);
  CHECK(leader.after.size() == 1);
  REQUIRE(leader.late.size() == 2);
  CHECK(tree.pids(tree.plan.births[leader.late[0]].after) == Planned::Pids{7});
  CHECK(tree.pids(tree.plan.births[leader.late[1]].after) == Planned::Pids{8});
}

TEST_CASE("an orphan that could not come to its parent is refused") {
  // The leader's session has ended with it, and its orphans have two parents, none below the other.
  std::vector<Process> processes = {make(3, 1, 3), make(4, 3, 3), make(5, 3, 3), make(6, 4, 9), make(7, 5, 9)};
  processes[1].subreaper = processes[2].subreaper = true;
  CHECK_THROWS_WITH_AS(Planned(std::vector<Process>(processes)), "pid 6 (program) has lost its parent and is in the session of a process that has another; not supported", Error);
}
