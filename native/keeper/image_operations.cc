// inspect and removeImage.
#include "keeper/answers.h"
#include "keeper/operations.h"
#include "keeper/request_fields.h"
#include "keeper/state_file.h"
#include "keeper/zygotes.h"

namespace appshot {

namespace {

Answer inspectInstance(const InstancePtr& instance) {
  std::lock_guard lock(instance->mutex);
  if (instance->phase == InstancePhase::kStarting) throw Error("illegal-transition", "instance " + instance->aid + " is starting");
  Answer answer = jsonOf(*instance, "");
  answer["kind"] = "instance";
  answer["pids"] = processesOf(*instance);
  return answer;
}

}  // namespace

Answer inspectImageOrInstance(Call call) {
  RequestFields fields(call.params, "inspect");
  std::string id = fields.text("id");
  fields.done();
  checkName(id, "AID or image");
  Keeper& keeper = call.keeper;
  if (keeper.hasImage(id)) {
    auto image = keeper.images.open(id);
    Answer answer = Answer::parse(describeImage(*image));
    ImageNote note = noteOfImage(keeper.places, id);
    answer["kind"] = "image";
    answer["bytes"] = note.bytes;
    answer["layers"] = note.layers;
    answer["instance"] = Answer::parse(imageMeta(*image), nullptr, false);
    return answer;
  }
  if (auto instance = keeper.instances.find(id)) return inspectInstance(instance);
  throw Error("not-found", "there is no instance and no image " + id);
}

Answer removeImage(Call call) {
  RequestFields fields(call.params, "removeImage");
  std::string id = fields.text("image");
  fields.done();
  checkName(id, "image");
  Keeper& keeper = call.keeper;
  if (!keeper.hasImage(id)) throw Error("not-found", "there is no image " + id);
  ImageNote note = noteOfImage(keeper.places, id);
  keeper.zygotes.drop(id);
  keeper.berths.drop(id);
  keeper.images.drop(id);
  keeper.janitor.remove(keeper.places.image(id));
  keeper.layers.release(note.layers);
  // The log of an instance that slept was kept for as long as it had its image.
  if (!keeper.instances.find(id)) keeper.janitor.remove(keeper.places.instance(id));
  return Answer::object();
}

}  // namespace appshot
