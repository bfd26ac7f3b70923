// park and unpark.
#include "keeper/parking.h"

#include <cstdio>

#include "core/pod/freezer.h"
#include "core/sys/error.h"
#include "keeper/answers.h"
#include "keeper/operations.h"
#include "keeper/request_fields.h"

namespace appshot {

namespace {

// However busy the machine is.
constexpr int kFreezeWithinMs = 10'000;

std::string aidOf(const Call& call, const char* method) {
  RequestFields fields(call.params, method);
  std::string aid = fields.text("aid");
  fields.done();
  checkName(aid, "AID");
  return aid;
}

// Runs `work` on the instance while nothing else is done to it.
template <typename Work>
void onRunning(Keeper& keeper, const std::string& aid, Work&& work) {
  InstancePtr instance = keeper.instances.get(aid);
  std::lock_guard operation(instance->operation);
  if (keeper.instances.find(aid) != instance) throw Error("not-found", "instance " + aid + " has ended");
  work(*instance);
}

}  // namespace

void parkNow(Instance& instance) {
  {
    std::lock_guard lock(instance.mutex);
    if (instance.parked) return;
    if (instance.phase != InstancePhase::kRunning || instance.ended) throw Error("illegal-transition", "instance " + instance.aid + " is ending");
    // It would never end.
    if (instance.guests > 0) throw Error("illegal-transition", "a command runs in " + instance.aid + " beside its application (shot exec): let it end first");
    instance.parked = true;
  }
  try {
    freeze(*instance.pod, kFreezeWithinMs);
  } catch (...) {
    std::lock_guard lock(instance.mutex);
    instance.parked = false;
    throw;
  }
}

bool unparkNow(Instance& instance) {
  std::lock_guard lock(instance.mutex);
  if (!instance.parked) return false;
  thaw(*instance.pod);
  instance.parked = false;
  return true;
}

Unparked::~Unparked() {
  if (!wasParked_) return;
  try {
    parkNow(instance_);
  } catch (const Error& error) {
    // It has ended, or is an image now.
    if (error.code() != "illegal-transition") std::fprintf(stderr, "park %s again: %s\n", instance_.aid.c_str(), error.what());
  }
}

Answer parkInstance(Call call) {
  onRunning(call.keeper, aidOf(call, "park"), parkNow);
  return Answer::object();
}

Answer unparkInstance(Call call) {
  std::string aid = aidOf(call, "unpark");
  Quiet::Urgent urgent(call.keeper.quiet);
  Stopwatch watch;
  Answer answer;
  onRunning(call.keeper, aid, [&](Instance& instance) {
    unparkNow(instance);
    watch.lap("thaw");
    answer = runningJson(instance, watch.phases);
  });
  return answer;
}

}  // namespace appshot
