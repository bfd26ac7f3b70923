#include "core/template/references.h"

namespace appshot {

namespace {

bool isBelowOrSame(const std::string& path, const std::string& directory) {
  return path == directory || path.rfind(directory + "/", 0) == 0;
}

void refer(std::string& path, const std::vector<std::string>& places) {
  size_t longest = places.size();
  for (size_t i = 0; i < places.size(); i++)
    if (isBelowOrSame(path, places[i]) && (longest == places.size() || places[i].size() > places[longest].size())) longest = i;
  if (longest < places.size()) path = redirectLink(longest + 1) + path.substr(places[longest].size());
}

}  // namespace

std::string redirectLink(size_t number) { return std::string(kSelfInView) + "/redirect/" + std::to_string(number); }

void keepReferences(State& state, const std::vector<std::string>& places) {
  if (places.empty()) return;
  for (OpenFile& file : state.files)
    if (file.kind == static_cast<uint32_t>(FileKind::Regular) || file.kind == static_cast<uint32_t>(FileKind::Fifo)) refer(file.path, places);
  for (MappedFile& file : state.mappedFiles)
    if (!file.deleted) refer(file.path, places);
  for (GhostFile& file : state.ghosts) refer(file.place, places);
  for (Process& process : state.processes) refer(process.cwd, places);
}

}  // namespace appshot
