// restore: a sleeping instance comes back out of its image. beginWake: what of that can be done before anybody decides it.
#include "core/pod/network.h"
#include "keeper/answers.h"
#include "keeper/arrival.h"
#include "keeper/operations.h"
#include "keeper/request_fields.h"

namespace appshot {

namespace {

std::string readAid(const Call& call, const char* operation) {
  RequestFields fields(call.params, operation);
  std::string aid = fields.text("aid");
  fields.done();
  checkName(aid, "AID");
  return aid;
}

// What has been begun, or all of it. It is let go.
std::unique_ptr<WakeUnderWay> wakeOf(Keeper& keeper, Instance& instance, Stopwatch& watch) {
  if (auto early = keeper.earlyWakes.take(instance.aid)) {
    inherit(instance, *early->instance);
    early->wake->go();
    return std::move(early->wake);
  }
  instance.image = instance.aid;
  auto wake = beginWake(keeper, instance, &watch);
  // Whoever makes processes tells of this one when it runs already.
  wake->go();
  wake->awaitRoot();
  watch.phases = joined(watch.phases, wake->begun());
  return wake;
}

}  // namespace

Answer beginWakeOfInstance(Call call) {
  Answer answer = Answer::object();
  if (auto address = call.keeper.earlyWakes.begin(readAid(call, "beginWake"))) answer["ip"] = textOf(*address);
  return answer;
}

Answer restoreInstance(Call call) {
  std::string aid = readAid(call, "restore");
  Keeper& keeper = call.keeper;
  auto urgent = std::make_shared<Quiet::Urgent>(keeper.quiet);
  Stopwatch watch;
  InstancePtr instance = keeper.instances.add(aid);
  std::lock_guard operation(instance->operation);
  try {
    std::shared_ptr<WakeUnderWay> wake = wakeOf(keeper, *instance, watch);
    // While its memory and its threads are made.
    instance->root = wake->root();
    instance->rootVpid = wake->rootVpid();
    if (instance->root > 0) watchOver(keeper, instance);
    Restored restored = wake->await();
    if (instance->root <= 0) {
      instance->root = restored.root;
      watchOver(keeper, instance);
    }
    // Not before: it wakes others, who would be in the way. The wake goes then, too: unmapping what it reported through takes longer than
    // one would think.
    call.afterwards.push_back([&keeper, instance, wake, urgent] {
      keeper.aftercare.add([instance, wake] { settleCgroups(*instance); });
    });
    open(keeper, instance);
    return runningJson(*instance, joined(watch.phases, restored.phases), restored.processes);
  } catch (...) {
    keeper.forget(instance);
    throw;
  }
}

}  // namespace appshot
