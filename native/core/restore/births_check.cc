// A plan of births, gone through as the tapes will.
#include <algorithm>
#include <string>

#include "core/restore/births.h"
#include "core/sys/error.h"

namespace appshot {

namespace {

constexpr int64_t kInit = -1;

enum class Act { Fork, BeginSession, Adopt, End };

struct Step {
  Act act;
  size_t child = 0;
};

struct Being {
  std::vector<Step> steps;
  size_t next = 0;
  int64_t parent = kInit;
  int32_t session = 0;
  int32_t passed = 0;          // orphans that have come past it
  bool born = false, hasEnded = false, adopts = false;
  int64_t awaitsEnd = -1;      // of the child that it has made
};

class Walk {
 public:
  explicit Walk(const BirthPlan& plan) : plan_(plan), beings_(plan.births.size()) {
    for (size_t number = 0; number < beings_.size(); number++) beings_[number].steps = stepsOf(number);
    beings_[plan.first].born = true;
  }

  // Everybody does one step in turn, in this order or from the last to the first, for as long as anybody can.
  void run(bool backwards) {
    for (bool any = true; any;) {
      any = false;
      for (size_t i = 0; i < beings_.size(); i++) any |= advance(backwards ? beings_.size() - 1 - i : i);
    }
  }

  bool isRight(const Process& process, size_t number) const {
    const Being& being = beings_[number];
    int32_t parent = being.parent == kInit ? 1 : plan_.births[being.parent].pid;
    return being.born && parent == process.ppid && (process.sid == 0 || being.session == process.sid);
  }

 private:
  std::vector<Step> stepsOf(size_t number) const {
    const Birth& birth = plan_.births[number];
    std::vector<Step> steps;
    auto forks = [&](const std::vector<size_t>& children) {
      for (size_t child : children) steps.push_back({Act::Fork, child});
    };
    if (number == plan_.first && number != plan_.root) return {{Act::BeginSession}, {Act::Fork, plan_.root}, {Act::End}};
    if (birth.adopts && birth.passing == 0) steps.push_back({Act::Adopt});
    forks(birth.before);
    if (birth.leadsSession) steps.push_back({Act::BeginSession});
    forks(birth.after);
    forks(birth.late);
    if (birth.adopts && birth.passing > 0) steps.push_back({Act::Adopt});
    forks(birth.adopted);
    if (birth.end == BirthEnd::AtOnce) steps.push_back({Act::End});
    return steps;
  }

  bool advance(size_t number) {
    Being& being = beings_[number];
    if (!being.born || being.hasEnded) return false;
    if (being.awaitsEnd >= 0) {
      if (!beings_[being.awaitsEnd].hasEnded) return false;
      for (size_t past : plan_.births[being.awaitsEnd].passes) beings_[past].passed++;
      being.awaitsEnd = -1;
      return true;
    }
    if (being.next == being.steps.size() || !does(number, being.steps[being.next])) return false;
    being.next++;
    return true;
  }

  // False when it has to wait.
  bool does(size_t number, const Step& step) {
    Being& being = beings_[number];
    switch (step.act) {
      case Act::Fork: return forks(number, step.child);
      case Act::BeginSession: being.session = plan_.births[number].pid; return true;
      case Act::Adopt:
        being.adopts = being.passed == plan_.births[number].passing;
        return being.adopts;
      case Act::End: ends(number); return true;
    }
    return false;
  }

  bool forks(size_t number, size_t child) {
    const Birth& birth = plan_.births[child];
    if (birth.awaits >= 0 && !beings_[birth.awaits].adopts) return false;
    Being& born = beings_[child];
    born.born = true;
    born.parent = static_cast<int64_t>(number);
    born.session = beings_[number].session;
    if (birth.end == BirthEnd::AtOnce) beings_[number].awaitsEnd = static_cast<int64_t>(child);
    return true;
  }

  void ends(size_t number) {
    beings_[number].hasEnded = true;
    int64_t reaper = beings_[number].parent;
    while (reaper != kInit && !beings_[reaper].adopts) reaper = beings_[reaper].parent;
    for (Being& being : beings_)
      if (being.born && being.parent == static_cast<int64_t>(number)) being.parent = reaper;
  }

  const BirthPlan& plan_;
  std::vector<Being> beings_;
};

}  // namespace

void checkBirths(const BirthPlan& plan) {
  for (bool backwards : {false, true}) {
    Walk walk(plan);
    walk.run(backwards);
    for (size_t number = 0; number < plan.births.size(); number++) {
      const Process* process = plan.births[number].process;
      if (!process || walk.isRight(*process, number)) continue;
      throw Error("unsupported-state", "pid " + std::to_string(process->pid) + " (" + process->comm +
                                           ") has lost its parent and is in the session of a process that has another; not supported");
    }
  }
}

}  // namespace appshot
