// What a keeper can be asked for. Each operation validates its parameters, runs on the calling thread and answers with JSON.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/sys/unique_fd.h"
#include "keeper/keeper.h"

namespace appshot {

// Keeps the order of its fields: phases are told in the order in which they ran.
using Answer = nlohmann::ordered_json;

struct Call {
  Keeper& keeper;
  const nlohmann::json& params;
  std::vector<UniqueFd>& fds;            // that came with the request
  int closedFd;                          // readable once the caller has gone away
  std::vector<std::function<void()>>& afterwards;  // what nobody waits for is put here, and done when the answer has been sent
};

// Throws Error `bad-request` for a method that does not exist.
Answer runOperation(const std::string& method, Call call);

Answer hello(Call call);
Answer armFailpoint(Call call);
Answer launchInstance(Call call);
Answer stopInstance(Call call);
Answer listInstances(Call call);
Answer listProcesses(Call call);
Answer killProcesses(Call call);
Answer execGuest(Call call);
Answer configureKeeper(Call call);
Answer snapshotInstance(Call call);
Answer cancelSnapshot(Call call);
Answer restoreInstance(Call call);
Answer beginWakeOfInstance(Call call);
Answer cloneImage(Call call);
Answer warmImage(Call call);
Answer parkInstance(Call call);
Answer unparkInstance(Call call);
Answer inspectImageOrInstance(Call call);
Answer removeImage(Call call);

}  // namespace appshot
