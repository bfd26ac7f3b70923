#include <sys/wait.h>

#include <algorithm>
#include <chrono>

#include "core/launch/listeners.h"
#include "core/launch/readiness.h"
#include "core/sys/sys.h"
#include "keeper/answers.h"
#include "keeper/arrival.h"
#include "keeper/facts_error.h"
#include "keeper/launch_plan.h"
#include "keeper/operations.h"
#include "keeper/request_fields.h"
#include "keeper/signal_names.h"

namespace appshot {

namespace {

constexpr int kProbeEveryMs = 10;
constexpr int kLastTryMs = 500;

std::string lastLines(const std::string& path, size_t most = 2000) {
  std::string text = readFileIfThere(path);
  return text.size() <= most ? text : text.substr(text.size() - most);
}

std::string howItEnded(const std::optional<int>& status) {
  if (!status) return "ended";
  if (WIFSIGNALED(*status)) return "was killed by " + signalName(WTERMSIG(*status));
  return "exited with status " + std::to_string(WEXITSTATUS(*status));
}

// Throws when the instance has ended, or `ms` are over while nothing happened to it.
void throwIfEnded(Keeper& keeper, Instance& instance, int waitMs) {
  std::unique_lock lock(instance.mutex);
  instance.changed.wait_for(lock, std::chrono::milliseconds(waitMs), [&] { return instance.ended; });
  if (!instance.ended) return;
  Json facts = {{"lastLines", lastLines(keeper.places.log(instance.aid))}};
  auto status = instance.rootStatus;
  if (status && WIFEXITED(*status)) facts["status"] = WEXITSTATUS(*status);
  if (status && WIFSIGNALED(*status)) facts["signal"] = signalName(WTERMSIG(*status));
  throw FactsError("exited-early", "the program of " + instance.aid + " " + howItEnded(status) + " before it was ready", std::move(facts));
}

[[noreturn]] void throwNotReady(Keeper& keeper, const Instance& instance, const LaunchRequest& request) {
  int port = instance.spec.port;
  std::string path = request.readyPath.empty() ? "" : " " + request.readyPath;
  std::string why = !path.empty() && answersOnce(instance.pod->farmIp, port, "", kLastTryMs)
                        ? "it takes connections, but did not answer this request with a status below 500"
                        : whyUnreachable(instance.pod->init, port);
  throw FactsError("not-ready-in-time",
                   instance.aid + " did not answer on port " + std::to_string(port) + path + " within " + std::to_string(request.readyWithinMs) + " ms: " + why,
                   {{"lastLines", lastLines(keeper.places.log(instance.aid))}});
}

void awaitReady(Keeper& keeper, Instance& instance, const LaunchRequest& request) {
  if (instance.spec.port == 0) return;
  double deadline = monotonicUs() + request.readyWithinMs * 1000.0;
  for (;;) {
    int left = static_cast<int>((deadline - monotonicUs()) / 1000);
    if (left > 0 && answersOnce(instance.pod->farmIp, instance.spec.port, request.readyPath, std::min(left, 5000))) return;
    throwIfEnded(keeper, instance, kProbeEveryMs);
    if (instance.unwanted) throw Error("illegal-transition", instance.aid + " was stopped before it was ready");
    if (monotonicUs() >= deadline) break;
  }
  throwNotReady(keeper, instance, request);
}

void startInstance(Keeper& keeper, const InstancePtr& instance, LaunchRequest& request, Stopwatch& watch) {
  keeper.bases.refreshRoot();
  makeView(keeper, *instance, Furnishing::kNew, &watch);
  Started started = startApplication(programOf(instance->spec), *instance->pod);
  instance->root = started.pid;
  instance->rootVpid = started.vpid;
  settle(keeper, instance);
  watch.lap("start");
  awaitReady(keeper, *instance, request);
  watch.lap("ready");
}

}  // namespace

Answer launchInstance(Call call) {
  Keeper& keeper = call.keeper;
  LaunchRequest request = readLaunchRequest(call.params, keeper.places.engine, keeper.bases);
  if (keeper.hasImage(request.aid)) {
    throw Error("illegal-transition", "there is an image " + request.aid + ": restore it, or remove it first");
  }
  InstancePtr instance = keeper.instances.add(request.aid);
  std::lock_guard operation(instance->operation);
  instance->spec = request.spec;
  Stopwatch watch;
  try {
    startInstance(keeper, instance, request, watch);
  } catch (...) {
    keeper.forget(instance);
    throw;
  }
  open(keeper, instance);
  return runningJson(*instance, watch.phases);
}

}  // namespace appshot
