// restore: a sleeping instance comes back out of its image.
#include "core/restore/prepared_wake.h"
#include "keeper/answers.h"
#include "keeper/arrival.h"
#include "keeper/operations.h"
#include "keeper/request_fields.h"

namespace appshot {

Answer restoreInstance(Call call) {
  RequestFields fields(call.params, "restore");
  std::string aid = fields.text("aid");
  fields.done();
  checkName(aid, "AID");
  Keeper& keeper = call.keeper;
  Quiet::Urgent urgent(keeper.quiet);
  Stopwatch watch;
  InstancePtr instance = keeper.instances.add(aid);
  std::lock_guard operation(instance->operation);
  try {
    auto wake = keeper.images.takeWake(aid);
    watch.lap("open");
    instance->image = aid;
    describeFromImage(keeper, wake->image(), *instance);
    instance->oldAddress.address = addressOfConnections(wake->image());
    makeView(keeper, *instance, Furnishing::kFromImage, &watch);
    WakeOptions options{instance->oldAddress, instance->environmentChanged};
    if (options.oldAddress.isGiven() || options.tellVariables) {
      wake = wake->with(options, *instance->pod);
      watch.lap("compile");
    }
    Restored restored = wake->restore(*instance->pod);
    PhasesUs phases = joined(watch.phases, restored.phases);
    begin(keeper, instance, restored);
    return runningJson(*instance, phases);
  } catch (...) {
    keeper.forget(instance);
    throw;
  }
}

}  // namespace appshot
