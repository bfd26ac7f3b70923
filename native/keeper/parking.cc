// park and unpark.
#include "keeper/parking.h"

#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

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

// By whoever holds `operation`.
void requireRuns(Keeper& keeper, const InstancePtr& instance) {
  if (keeper.instances.find(instance->aid) != instance) throw Error("not-found", "instance " + instance->aid + " has ended");
}

void thawNow(Instance& instance) {
  try {
    thaw(*instance.pod);
  } catch (const Error& error) {
    std::lock_guard lock(instance.mutex);
    if (!instance.ended) std::fprintf(stderr, "unpark %s: %s\n", instance.aid.c_str(), error.what());
    instance.parked = true;
  }
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
    instance.parkedProcesses.reset();
  }
  try {
    freeze(*instance.pod, kFreezeWithinMs);
  } catch (...) {
    std::lock_guard lock(instance.mutex);
    instance.parked = false;
    throw;
  }
  // Counted now, when nobody waits for it.
  size_t processes = processesOf(instance).size();
  std::lock_guard lock(instance.mutex);
  instance.parkedProcesses = processes;
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
  InstancePtr instance = call.keeper.instances.get(aidOf(call, "park"));
  std::lock_guard operation(instance->operation);
  requireRuns(call.keeper, instance);
  parkNow(*instance);
  return Answer::object();
}

// Answered before its processes are woken, which takes as long as a request takes to come: whatever is sent to it meanwhile waits in its
// kernel. Nothing else is done to it before.
Answer unparkInstance(Call call) {
  std::string aid = aidOf(call, "unpark");
  auto urgent = std::make_shared<Quiet::Urgent>(call.keeper.quiet);
  Stopwatch watch;
  InstancePtr instance = call.keeper.instances.get(aid);
  auto operation = std::make_shared<std::unique_lock<std::mutex>>(instance->operation);
  requireRuns(call.keeper, instance);
  bool isParked;
  std::optional<size_t> processes;
  {
    std::lock_guard lock(instance->mutex);
    isParked = std::exchange(instance->parked, false);
    if (isParked) processes = instance->parkedProcesses;
  }
  if (isParked) call.afterwards.push_back([instance, operation, urgent] { thawNow(*instance); });
  watch.lap("unpark");
  return runningJson(*instance, watch.phases, processes);
}

}  // namespace appshot
