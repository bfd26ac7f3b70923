#include "keeper/greeting.h"

#include <signal.h>

#include <algorithm>

#include "core/launch/readiness.h"
#include "core/sys/sys.h"
#include "keeper/self.h"
#include "keeper/signal_names.h"

namespace appshot {

namespace {

void sendSignal(const Instance& instance, const State& state) {
  int signal = instance.spec.clone.signal;
  const Process& first = state.processes.front();
  bool handles = std::any_of(first.actions.begin(), first.actions.end(),
                             [&](const SignalAction& action) { return action.number == static_cast<uint32_t>(signal) && action.handler > 1; });
  // The default of most would end it, without a word.
  if (!handles) throw Error("clone-unconfirmed", "the program of " + instance.aid + " does not handle " + signalName(signal) + ", by which the app file wants clones told");
  sys("send " + signalName(signal) + " to " + instance.aid, [&] { return ::kill(instance.root, signal); });
}

void askHook(const Instance& instance, double deadlineUs) {
  const CloneSettings& clone = instance.spec.clone;
  int withinMs = std::max(1, static_cast<int>((deadlineUs - monotonicUs()) / 1000));
  if (instance.spec.port == 0) throw Error("clone-unconfirmed", instance.aid + " has no port on which its hook " + clone.hook + " could be asked");
  int status = postOnce(instance.pod->farmIp, instance.spec.port, {clone.hook, "application/json", describeSelf(instance)}, withinMs);
  if (status >= 200 && status < 300) return;
  std::string what = status == 0 ? "did not answer within " + std::to_string(clone.withinMs) + " ms" : "answered " + std::to_string(status);
  throw Error("clone-unconfirmed", "the hook " + clone.hook + " of the clone " + instance.aid + " " + what);
}

}  // namespace

void greetClone(const Instance& instance, const State& state) {
  const CloneSettings& clone = instance.spec.clone;
  double deadlineUs = monotonicUs() + clone.withinMs * 1000.0;
  if (clone.signal != 0) sendSignal(instance, state);
  if (!clone.hook.empty()) askHook(instance, deadlineUs);
}

}  // namespace appshot
