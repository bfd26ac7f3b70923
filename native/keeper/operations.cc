#include "keeper/operations.h"

#include <unistd.h>

#include <map>

#include "core/sys/failpoint.h"
#include "keeper/request_fields.h"
#include "keeper/rids_operation.h"

namespace appshot {

namespace {

using Operation = Answer (*)(Call);

const std::map<std::string, Operation>& operations() {
  static const std::map<std::string, Operation> all = {
      {"hello", hello},        {"launch", launchInstance}, {"stop", stopInstance},   {"list", listInstances},
      {"ps", listProcesses},   {"kill", killProcesses},    {"exec", execGuest},      {"configure", configureKeeper},
      {"snapshot", snapshotInstance}, {"cancelSnapshot", cancelSnapshot}, {"restore", restoreInstance}, {"beginWake", beginWakeOfInstance}, {"clone", cloneImage},
      {"warm", warmImage},     {"rids", listResourceIds},     {"park", parkInstance},     {"unpark", unparkInstance}, {"inspect", inspectImageOrInstance},       {"removeImage", removeImage},
      {"failpoints", armFailpoint},
  };
  return all;
}

}  // namespace

Answer runOperation(const std::string& method, Call call) {
  auto found = operations().find(method);
  if (found == operations().end()) throw Error("bad-request", "the keeper has no method '" + method.substr(0, 100) + "'");
  FailScope scope(method);
  return found->second(call);
}

Answer hello(Call call) {
  RequestFields fields(call.params, "hello");
  fields.done();
  return {{"pid", ::getpid()}, {"directory", call.keeper.places.engine}};
}

Answer configureKeeper(Call call) {
  RequestFields fields(call.params, "configure");
  std::optional<std::vector<std::string>> addresses;
  if (fields.has("addresses")) addresses = fields.texts("addresses");
  fields.any("addresses");
  auto ready = fields.number("podsReady", 0, 1000, 1);
  std::string node = fields.text("node", "");
  bool noOthers = fields.flag("noOthers", false);
  fields.done();
  if (!node.empty()) call.keeper.setNodeName(node);
  if (noOthers && addresses) call.keeper.endHoldsBut(*addresses);
  call.keeper.configure(addresses, static_cast<size_t>(ready));
  return Answer::object();
}

}  // namespace appshot
