#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>

#include "core/sys/sys.h"
#include "keeper/operations.h"
#include "keeper/parking.h"
#include "keeper/request_fields.h"

namespace appshot {

namespace {

// How long a program may take to end by itself after SIGTERM.
constexpr auto kGrace = std::chrono::seconds(5);

void askToEnd(Instance& instance) {
  std::unique_lock lock(instance.mutex);
  instance.phase = InstancePhase::kStopping;
  bool rootLives = !instance.rootStatus.has_value();
  if (instance.ended || !rootLives || instance.root <= 0) return;
  ::kill(instance.root, SIGTERM);
  // Whatever is left when the first process has ended is killed with the pod.
  instance.changed.wait_for(lock, kGrace, [&] { return instance.ended || instance.rootStatus.has_value(); });
}

}  // namespace

Answer stopInstance(Call call) {
  RequestFields fields(call.params, "stop");
  std::string aid = fields.text("aid");
  fields.done();
  checkName(aid, "AID");
  Keeper& keeper = call.keeper;
  InstancePtr instance = keeper.instances.find(aid);
  if (!instance) {
    if (keeper.hasImage(aid)) return {{"exited", false}};
    throw Error("not-found", "there is no instance and no image " + aid);
  }
  instance->unwanted = true;
  instance->cancelSnapshot = true;
  {
    std::lock_guard operation(instance->operation);
    // Another stop, or its own end, was faster.
    if (keeper.instances.find(aid) != instance) return {{"exited", true}};
    unparkNow(*instance);
    askToEnd(*instance);
    keeper.forget(instance);
  }
  keeper.pods.drain();
  return {{"exited", true}};
}

}  // namespace appshot
