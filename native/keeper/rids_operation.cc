#include "keeper/rids_operation.h"

#include <algorithm>

#include "core/pod/resource_ids.h"
#include "keeper/redirects.h"
#include "keeper/request_fields.h"
#include "keeper/self.h"

namespace appshot {

namespace {

// Where on the node the instance's paths are.
void addPaths(const Keeper& keeper, const Instance& instance, std::vector<ResourceId>& ids) {
  ids.push_back({"path", "/", keeper.layers.rootOf(instance.layer)});
  if (instance.spec.ownTreeForCwd) ids.push_back({"path", instance.spec.cwd, keeper.layers.cwdOf(instance.layer)});
  ids.push_back({"path", "/run/appshot/self", keeper.places.self(instance.aid)});
  for (const ViewBind& bind : instance.spec.binds) ids.push_back({"path", bind.at, bind.from});
  std::vector<std::string> places = redirectPlaces(instance);
  size_t number = 0;
  for (const Rule& rule : instance.spec.rules)
    if (rule.is(RuleKind::Redirect)) ids.push_back({"path", rule.subject, places[number++]});
}

struct Wanted {
  std::string type, virtualId, systemId;
  bool matches(const ResourceId& id) const {
    return (type.empty() || id.type == type) && (virtualId.empty() || id.virtualId == virtualId) && (systemId.empty() || id.systemId == systemId);
  }
};

bool isNumber(const std::string& text) { return !text.empty() && text.size() < 10 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }); }

Answer shown(const std::string& id) { return isNumber(id) ? Answer(std::stoi(id)) : Answer(id); }

void addRows(Keeper& keeper, const InstancePtr& instance, const Wanted& wanted, Answer& rows) {
  {
    std::lock_guard lock(instance->mutex);
    if (instance->phase == InstancePhase::kStarting || instance->ended) return;
  }
  std::vector<ResourceId> ids = resourceIdsOf(*instance->pod);
  addPaths(keeper, *instance, ids);
  for (const ResourceId& id : ids)
    if (wanted.matches(id)) rows.push_back({{"aid", instance->aid}, {"type", id.type}, {"virtual", shown(id.virtualId)}, {"system", shown(id.systemId)}});
}

}  // namespace

Answer listResourceIds(Call call) {
  RequestFields fields(call.params, "rids");
  std::string aid = fields.text("aid", "");
  Wanted wanted{fields.text("type", ""), fields.text("virtual", ""), fields.text("system", "")};
  fields.done();
  Answer rows = Answer::array();
  if (!aid.empty()) {
    addRows(call.keeper, call.keeper.instances.get(aid), wanted, rows);
  } else {
    for (const InstancePtr& instance : call.keeper.instances.all()) addRows(call.keeper, instance, wanted, rows);
  }
  return {{"rids", rows}};
}

}  // namespace appshot
