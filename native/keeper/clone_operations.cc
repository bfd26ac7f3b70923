// clone and warm: instances out of templates.
#include <future>

#include "core/pod/file_view.h"
#include "core/restore/restore.h"
#include "core/sys/sys.h"
#include "keeper/answers.h"
#include "keeper/arrival.h"
#include "keeper/greeting.h"
#include "keeper/operations.h"
#include "keeper/parking.h"
#include "keeper/request_fields.h"
#include "keeper/self.h"
#include "keeper/zygotes.h"

namespace appshot {

namespace {

// Whoever was cloned is likely to be cloned again.
void prepareClones(const std::shared_ptr<ResidentZygote>& resident) {
  constexpr size_t kAhead = 2;
  resident->embryos.prepare(*resident, kAhead);
}

struct CloneWish {
  std::string image;
  std::vector<std::string> aids;
  bool parked = false;
};

// A clone, and what is to be done when nobody waits for it any more: it wakes others, who would be in the way.
struct Made {
  Answer answer;
  std::function<void()> afterwards;
};

// The embryo goes then, too: unmapping what it reported through takes longer than one would think.
void careAfter(Keeper& keeper, const std::shared_ptr<ResidentZygote>& resident, const Unborn& unborn, bool hasServed) {
  if (!unborn.isSettled) keeper.aftercare.add([instance = unborn.instance] { settleCgroups(*instance); });
  // One that was given pages has those whether it writes them or not.
  bool shows = hasServed && unborn.prefaulted == 0;
  keeper.aftercare.add([resident, pod = unborn.instance->pod, embryo = unborn.embryo, shows] {
    if (shows) resident->zygote->learnFrom(*pod);
    prepareClones(resident);
  });
}

void awaitClone(Embryo& embryo, const Instance& instance) {
  try {
    embryo.await(instance.spec.clone.withinMs);
  } catch (const Error& error) {
    throw Error("clone-unconfirmed", "the clone " + instance.aid + " was not itself in time: " + error.what(), error.err());
  }
}

Made cloneOne(Keeper& keeper, const std::shared_ptr<ResidentZygote>& resident, const CloneWish& wish, const std::string& aid) {
  InstancePtr instance = keeper.instances.add(aid);
  std::lock_guard operation(instance->operation);
  try {
    Stopwatch watch;
    std::optional<Unborn> unborn = resident->embryos.take();
    if (!unborn) {
      resident->embryos.stockUp(resident);
      unborn = makeUnborn(keeper, *resident, aid, &watch);
    }
    inherit(*instance, *unborn->instance);
    nameInstance(keeper, *instance);
    becomeItself(keeper, *instance, keeper.places.self(aid));
    setHostName(*instance->pod, aid);
    watch.lap("name");
    unborn->embryo->go();
    // While it sets its variables.
    watchOver(keeper, instance);
    awaitClone(*unborn->embryo, *instance);
    watch.lap("go");
    greetClone(*instance, imageState(*resident->image));
    if (instance->spec.clone.isGreeted()) watch.lap("greet");
    open(keeper, instance);
    if (wish.parked) parkNow(*instance);
    return {runningJson(*instance, watch.phases, unborn->embryo->processes()),
            [&keeper, resident, unborn = *unborn, hasServed = !wish.parked] { careAfter(keeper, resident, unborn, hasServed); }};
  } catch (...) {
    keeper.forget(instance);
    throw;
  }
}

// Ends those of a call of which others failed: all or none.
void takeBack(Keeper& keeper, const std::vector<std::string>& aids) {
  for (const auto& aid : aids) {
    InstancePtr instance = keeper.instances.find(aid);
    if (!instance) continue;
    std::lock_guard operation(instance->operation);
    {
      std::lock_guard lock(instance->mutex);
      instance->phase = InstancePhase::kStopping;
    }
    if (keeper.instances.find(aid) == instance) keeper.forget(instance);
  }
}

CloneWish readWish(const Call& call) {
  RequestFields fields(call.params, "clone");
  CloneWish wish;
  wish.image = fields.text("image");
  wish.aids = fields.texts("aids");
  wish.parked = fields.flag("parked", false);
  fields.done();
  checkName(wish.image, "image");
  const auto& aids = wish.aids;
  if (aids.empty() || aids.size() > 10'000) throw Error("bad-request", "clone: 'aids' has to have 1 to 10000 names");
  for (const auto& aid : aids) {
    checkName(aid, "AID");
    if (call.keeper.hasImage(aid)) throw Error("illegal-transition", "there is an image " + aid + " already");
  }
  return wish;
}

}  // namespace

Answer cloneImage(Call call) {
  CloneWish wish = readWish(call);
  const auto& aids = wish.aids;
  Keeper& keeper = call.keeper;
  auto urgent = std::make_shared<Quiet::Urgent>(keeper.quiet);
  Stopwatch watch;
  auto resident = keeper.zygotes.get(wish.image);
  watch.lap("zygote");
  Answer answers = Answer::array();
  std::vector<std::string> made;
  // Two at a time: one is given its view while the other's processes are made.
  std::vector<std::future<Made>> running;
  auto take = [&] {
    auto first = std::move(running.front());
    running.erase(running.begin());
    Made made = first.get();
    answers.push_back(std::move(made.answer));
    made.afterwards();
  };
  try {
    for (const auto& aid : aids) {
      if (aids.size() == 1) {
        Made made = cloneOne(keeper, resident, wish, aid);
        answers.push_back(std::move(made.answer));
        call.afterwards.push_back([urgent, work = std::move(made.afterwards)] { work(); });
        break;
      }
      if (running.size() == 2) take();
      running.push_back(std::async(std::launch::async, [&, aid] { return cloneOne(keeper, resident, wish, aid); }));
    }
    while (!running.empty()) take();
  } catch (...) {
    for (auto& other : running) {
      if (other.valid()) other.wait();
    }
    std::vector<std::string> done;
    for (const auto& answer : answers) done.push_back(answer["aid"]);
    for (auto& other : running) {
      try {
        if (other.valid()) done.push_back(other.get().answer["aid"]);
      } catch (const Error&) {
        // It has taken itself back.
      }
    }
    takeBack(keeper, done);
    throw;
  }
  return answers;
}

Answer warmImage(Call call) {
  RequestFields fields(call.params, "warm");
  std::string imageId = fields.text("image");
  bool resident = fields.flag("resident", true);
  fields.done();
  checkName(imageId, "image");
  if (resident) {
    auto zygote = call.keeper.zygotes.get(imageId);
    prepareClones(zygote);
  } else {
    call.keeper.zygotes.drop(imageId);
  }
  return Answer::object();
}

}  // namespace appshot
