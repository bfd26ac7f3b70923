// Files and directories that a tree still uses, but that have no name any more: their contents travel inside the image.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/image/model.h"

namespace appshot {

// The link in /proc to a file ends so when the file has lost this name.
bool isNameless(const std::string& link);

// The nearest directory above `path` that is there in the view of process `pid`.
std::string placeAbove(pid_t pid, const std::string& path);

class GhostCollector {
 public:
  explicit GhostCollector(State& state) : state_(state) {}

  struct Found {
    pid_t pid;         // who uses it
    std::string what;  // its name in messages: "fd 7"
    std::string link;  // its link in /proc
    std::string path;  // which opens it
    bool writes;       // may be written this way
  };
  // Index of the nameless file in the state, the same for everybody who has it.
  // Throws Error `unsupported-state` where it cannot be made again.
  uint32_t ghost(const Found& found);
  // Of the program that process `pid` runs; -1 where its file has its name.
  int32_t ghostOfProgram(pid_t pid);
  // Reads their contents: everything has to be stopped.
  void save();

 private:
  State& state_;
  std::map<std::pair<uint64_t, uint64_t>, uint32_t> known_;  // device, inode
  std::vector<std::string> paths_;                           // beside State::ghosts
};

}  // namespace appshot
