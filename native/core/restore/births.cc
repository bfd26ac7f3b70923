#include "core/restore/births.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "core/sys/error.h"

namespace appshot {

namespace {

[[noreturn]] void refuse(const Process& process, const char* what) {
  throw Error("unsupported-state", "pid " + std::to_string(process.pid) + " (" + process.comm + ") " + what + "; not supported");
}

class Planner {
 public:
  explicit Planner(const State& state) : state_(state) {
    for (const Process& process : state.processes) {
      byPid_[process.pid] = &process;
      children_[process.ppid].push_back(&process);
    }
  }

  BirthPlan plan() {
    const Process& root = state_.processes.front();
    for (const Process& process : state_.processes) add(process);
    plan_.root = births_.at(root.pid);
    plan_.first = plan_.root;
    int32_t session = need(root);
    if (session > 0 && session != root.pid) plan_.first = leaderOf(session, root);
    if (plan_.first != plan_.root && plan_.births[plan_.first].end != BirthEnd::AtOnce) refuse(root, "is in the session of a process that came after it");
    for (const Process& process : state_.processes)
      if (&process != &root) place(process);
    routeAdoptions();
    for (const Process& process : state_.processes) placeGroup(process);
    if (plan_.births.size() > state_.processes.size()) checkBirths(plan_);
    return std::move(plan_);
  }

 private:
  void add(const Process& process) {
    Birth birth;
    birth.pid = process.pid;
    birth.process = &process;
    birth.end = process.zombie ? BirthEnd::Zombie : BirthEnd::Lives;
    birth.leadsSession = process.sid == process.pid;
    birth.leadsGroup = process.pgid == process.pid && !birth.leadsSession;
    births_[process.pid] = plan_.births.size();
    plan_.births.push_back(std::move(birth));
  }

  size_t addBetween(int32_t pid, BirthEnd end) {
    Birth birth;
    birth.pid = pid;
    birth.end = end;
    births_[pid] = plan_.births.size();
    plan_.births.push_back(std::move(birth));
    return plan_.births.size() - 1;
  }

  // The session that a process has to be born in; 0: any.
  int32_t need(const Process& process) const {
    if (process.sid != process.pid) return process.sid;
    if (process.zombie) return 0;
    auto children = children_.find(process.pid);
    if (children == children_.end()) return 0;
    for (const Process* child : children->second) {
      int32_t theirs = need(*child);
      if (theirs != 0 && theirs != process.sid && byPid_.count(theirs) == 0) return theirs;
      // A session that somebody alive leads may be reached through that one; older than this process's own, it is inherited.
      if (theirs != 0 && theirs != process.sid && isAbove(theirs, process)) return theirs;
    }
    return 0;
  }

  bool isAbove(int32_t pid, const Process& process) const {
    for (auto at = byPid_.find(process.ppid); at != byPid_.end(); at = byPid_.find(at->second->ppid))
      if (at->first == pid || at->second->sid == pid) return true;
    return false;
  }

  void place(const Process& process) {
    int32_t session = need(process);
    size_t own = births_.at(process.pid);
    auto parent = byPid_.find(process.ppid);
    if (parent != byPid_.end()) {
      Birth& maker = plan_.births[births_.at(process.ppid)];
      if (session == 0 || session == parent->second->sid) return maker.after.push_back(own);
      if (maker.leadsSession && session == need(*parent->second)) return maker.before.push_back(own);
      if (!parent->second->subreaper) refuse(process, "is in a session that its parent has left");
      maker.adopts = true;
    }
    adopt(process, session);
  }

  // Made through a process between, whose end leaves it to its parent.
  void adopt(const Process& process, int32_t session) {
    const Process& root = state_.processes.front();
    size_t own = births_.at(process.pid);
    auto leader = byPid_.find(session == 0 ? root.pid : session);
    const Process* member = leader != byPid_.end() ? leader->second : memberOf(session, process);
    if (member) return plan_.births[betweenOf(births_.at(member->pid), process)].after.push_back(own);
    size_t leads = leaderOf(session, process);
    if (leads == own) return;
    std::vector<size_t>& made = plan_.births[leads].after;
    if (std::find(made.begin(), made.end(), own) == made.end()) made.push_back(own);
  }

  // Somebody who will be in the session without help from `process`.
  const Process* memberOf(int32_t session, const Process& process) const {
    for (const Process& other : state_.processes)
      if (!other.zombie && other.sid == session && &other != &process && (other.ppid != 1 || &other == &state_.processes.front())) return &other;
    return nullptr;
  }

  // A process that ends at once, made by this member of a session; its orphans come to the parent of `process`.
  size_t betweenOf(size_t maker, const Process& process) {
    auto known = betweens_.find({maker, process.ppid});
    if (known != betweens_.end()) return known->second;
    size_t between = addBetween(unusedPid(), BirthEnd::AtOnce);
    adoptions_.push_back({between, maker, process.ppid});
    return betweens_[{maker, process.ppid}] = between;
  }

  // A leader that has ended, made once more for the process that needs its session.
  size_t leaderOf(int32_t session, const Process& process) {
    auto known = births_.find(session);
    if (known != births_.end()) return known->second;
    size_t leader = addBetween(session, BirthEnd::AtOnce);
    plan_.births[leader].leadsSession = true;
    plan_.births[leader].after.push_back(births_.at(process.pid));
    if (&process != &state_.processes.front()) {
      int32_t maker = byPid_.count(process.ppid) ? process.ppid : state_.processes.front().pid;
      adoptions_.push_back({leader, births_.at(maker), process.ppid});
    }
    return leader;
  }

  // The orphans of `between`, made by `maker`, come to the nearest subreaper above that: so those on the way to the one who is to get
  // them must not be it yet.
  void routeAdoptions() {
    for (const Adoption& adoption : adoptions_)
      for (int64_t at = static_cast<int64_t>(adoption.maker); at >= 0 && plan_.births[at].pid != adoption.parent; at = above(at))
        if (plan_.births[at].adopts) {
          plan_.births[at].passing++;
          plan_.births[adoption.between].passes.push_back(at);
        }
    // Further up first: who comes past somebody has passed before those come that stay with him.
    std::stable_sort(adoptions_.begin(), adoptions_.end(), [&](const Adoption& a, const Adoption& b) { return depthOf(a.parent) < depthOf(b.parent); });
    for (const Adoption& adoption : adoptions_) {
      auto parent = births_.find(adoption.parent);
      Birth& maker = plan_.births[adoption.maker];
      bool waits = parent != births_.end() && plan_.births[parent->second].passing > 0;
      if (waits) plan_.births[adoption.between].awaits = static_cast<int64_t>(parent->second);
      (!waits ? maker.after : maker.pid == adoption.parent ? maker.adopted : maker.late).push_back(adoption.between);
    }
  }

  int64_t above(int64_t birth) const {
    const Process* process = plan_.births[birth].process;
    if (!process) return -1;
    auto parent = births_.find(process->ppid);
    return parent == births_.end() ? -1 : static_cast<int64_t>(parent->second);
  }

  int depthOf(int32_t pid) const {
    int depth = 0;
    for (auto at = byPid_.find(pid); at != byPid_.end(); at = byPid_.find(at->second->ppid)) depth++;
    return depth;
  }

  void placeGroup(const Process& process) {
    int32_t group = process.pgid;
    if (group <= 0 || group == process.pid || group == process.sid) return;
    auto known = births_.find(group);
    if (known != births_.end() && plan_.births[known->second].end != BirthEnd::AtOnce) return;
    if (known != births_.end()) refuse(process, "is in a group whose id is needed for another process");
    auto maker = std::find_if(state_.processes.begin(), state_.processes.end(), [&](const Process& other) { return !other.zombie && other.sid == process.sid; });
    if (maker == state_.processes.end()) refuse(process, "is in a process group whose leader has ended");
    size_t leader = addBetween(group, BirthEnd::AfterGroups);
    plan_.births[leader].leadsGroup = true;
    plan_.births[births_.at(maker->pid)].after.push_back(leader);
  }

  int32_t unusedPid() {
    auto isUsed = [this](int32_t pid) {
      return births_.count(pid) || std::any_of(state_.processes.begin(), state_.processes.end(), [pid](const Process& process) {
        return process.pgid == pid || process.sid == pid ||
               std::any_of(process.threads.begin(), process.threads.end(), [pid](const Thread& thread) { return thread.tid == pid; });
      });
    };
    do lastBetween_++;
    while (isUsed(lastBetween_));
    return lastBetween_;
  }

  const State& state_;
  BirthPlan plan_;
  std::map<int32_t, const Process*> byPid_;
  std::map<int32_t, std::vector<const Process*>> children_;
  struct Adoption {
    size_t between, maker;
    int32_t parent;
  };
  std::map<int32_t, size_t> births_;
  std::map<std::pair<size_t, int32_t>, size_t> betweens_;
  std::vector<Adoption> adoptions_;
  int32_t lastBetween_ = 400;
};

}  // namespace

bool BirthPlan::gathersGroups() const {
  return std::any_of(births.begin(), births.end(), [](const Birth& birth) { return birth.end == BirthEnd::Zombie || birth.end == BirthEnd::AfterGroups; });
}

BirthPlan planBirths(const State& state) { return Planner(state).plan(); }

}  // namespace appshot
