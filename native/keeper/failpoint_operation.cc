// failpoints: for tests, in a keeper that was started with APPSHOT_FAILPOINTS=1.
#include <map>

#include "core/sys/failpoint.h"
#include "keeper/operations.h"
#include "keeper/request_fields.h"

namespace appshot {

Answer armFailpoint(Call call) {
  RequestFields fields(call.params, "failpoints");
  std::string step = fields.text("step", ""), how = fields.text("how", "error");
  fields.done();
  if (!Failpoints::enabled()) throw Error("bad-request", "failpoints: this keeper was not started with APPSHOT_FAILPOINTS=1");
  static const std::map<std::string, FailHow> known = {{"error", FailHow::Error}, {"kill", FailHow::Kill}, {"pause", FailHow::Pause}};
  if (!known.count(how)) throw Error("bad-request", "failpoints: 'how' has to be error, kill or pause");
  Failpoints::arm(step, known.at(how));
  return {{"steps", Failpoints::reached()}};
}

}  // namespace appshot
