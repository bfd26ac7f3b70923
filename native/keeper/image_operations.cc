// inspect and removeImage.
#include "core/image/image.h"
#include "keeper/answers.h"
#include "keeper/operations.h"
#include "keeper/request_fields.h"
#include "keeper/state_file.h"
#include "keeper/zygotes.h"

namespace appshot {

namespace {

Answer rulesJson(const std::vector<Rule>& rules) {
  static constexpr const char* kKinds[] = {"define", "redirect", "set-env", "override"};
  Answer list = Answer::array();
  for (const Rule& rule : rules) {
    Answer one = {{"line", rule.line}, {"kind", kKinds[rule.kind]}, {"subject", rule.subject}, {"value", rule.value}};
    if (rule.hasQualifier) one["qualifier"] = rule.qualifier;
    list.push_back(std::move(one));
  }
  return list;
}

Answer resourcesJson(const std::vector<ClassifiedResource>& resources) {
  Answer list = Answer::array();
  for (const ClassifiedResource& resource : resources)
    list.push_back({{"type", nameOf(resource.type)}, {"identity", resource.identity}, {"bytes", resource.size}, {"class", nameOf(resource.cloneClass)}, {"why", whyOf(resource)}});
  // Paths may have any bytes in them.
  return Answer::parse(list.dump(-1, ' ', false, Answer::error_handler_t::replace));
}

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
    answer["rules"] = rulesJson(image->state().rules);
    answer["resources"] = resourcesJson(image->state().resources);
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
  keeper.pods.endHold(id);
  keeper.janitor.remove(keeper.places.image(id));
  keeper.layers.release(note.layers);
  // The log of an instance that slept was kept for as long as it had its image.
  if (!keeper.instances.find(id)) keeper.janitor.remove(keeper.places.instance(id));
  return Answer::object();
}

}  // namespace appshot
