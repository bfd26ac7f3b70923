// Holds the format of images to its version: which fields there are, of which kind, stands in image_format.txt.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/image/codec.h"
#include "core/image/image.h"

using namespace appshot;
using nlohmann::json;

namespace {

const std::string kWrittenDown = std::string(APPSHOT_TEST_DIR) + "/image_format.txt";

// One of everything, so that every field is seen.
Process fullProcess() {
  Process process;
  process.threads.resize(1);
  Thread& thread = process.threads[0];
  thread.affinity.resize(1);
  thread.credentials.groups.resize(1);
  thread.ownFilters.resize(1);
  thread.ownFilterFlags.resize(1);
  thread.queued.resize(1);
  process.vmas.resize(1);
  process.runs.resize(1);
  process.descriptors.resize(1);
  process.actions.resize(1);
  process.queued.resize(1);
  process.posixTimers.resize(1);
  process.locks.resize(1);
  process.limits.resize(1);
  process.undos.resize(1);
  return process;
}

State fullState() {
  State state;
  state.files.resize(1);
  OpenFile& file = state.files[0];
  file.watches.resize(1);
  file.inotify.resize(1);
  file.options.resize(1);
  file.messages.resize(1);
  file.messages[0].files.resize(1);
  file.tcp.window.resize(1);
  file.memberships.resize(1);
  file.memberships[0].sources.resize(1);
  state.ghosts.resize(1);
  state.mappedFiles.resize(1);
  state.sharedMemory.resize(1);
  state.sharedMemory[0].runs.resize(1);
  state.ipc.resize(1);
  state.ipc[0].runs.resize(1);
  state.ipc[0].values.resize(1);
  state.ipc[0].messages.resize(1);
  return state;
}

// A line for each field. Of a packed table, how long an entry is.
void describe(const json& value, const std::string& name, std::ostream& to) {
  if (value.is_object()) {
    for (const auto& [key, inner] : value.items()) describe(inner, name + "." + key, to);
  } else if (value.is_array() && !value.empty() && value[0].is_structured()) {
    describe(value[0], name + "[]", to);
  } else if (value.is_binary()) {
    to << name << " packed, " << value.get_binary().size() << " bytes each\n";
  } else {
    to << name << ' ' << (value.is_array() && !value.empty() ? std::string("list of ") + value[0].type_name() : value.type_name()) << '\n';
  }
}

std::string describeFormat() {
  std::ostringstream lines;
  lines << "version " << kImageVersion << '\n';
  describe(json::from_cbor(encodeCommon(fullState())), "common", lines);
  describe(json::from_cbor(encodeProcess(fullProcess())), "process", lines);
  return lines.str();
}

}  // namespace

TEST_CASE("an image has the fields that are written down for its version") {
  std::string is = describeFormat();
  if (std::getenv("APPSHOT_WRITE_FORMAT")) std::ofstream(kWrittenDown) << is;
  std::ifstream file(kWrittenDown);
  std::istringstream now(is);
  for (std::string was, line;;) {
    bool isMore = static_cast<bool>(std::getline(now, line)), wasMore = static_cast<bool>(std::getline(file, was));
    if (!isMore && !wasMore) break;
    INFO("the format has changed: raise kImageVersion, so that older and newer engines refuse each other's images by name, then write it down with APPSHOT_WRITE_FORMAT=1");
    REQUIRE((wasMore ? was : "nothing") == (isMore ? line : "nothing"));
  }
}
