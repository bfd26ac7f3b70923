// Address spaces: what is mapped, and which pages have to be saved.
#pragma once

#include <sys/uio.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/image/image.h"
#include "core/image/model.h"
#include "core/snapshot/collect_ghosts.h"
#include "core/snapshot/stopped_tree.h"
#include "core/sys/proc.h"

namespace appshot {

// Names what is mapped and cannot be saved; empty when everything can.
std::vector<std::string> unsupportedMappings(const std::string& who, const std::vector<MapLine>& maps);

// Collects mapped files and shared memory of the whole tree, each once.
class MemoryCollector {
 public:
  MemoryCollector(State& state, GhostCollector& ghosts) : state_(state), ghosts_(ghosts) {}

  // `vmFlags`: VmFlags read before the stop (slow to read), by start address; ranges that are new since have none.
  std::vector<Vma> collect(pid_t pid, const std::vector<MapLine>& maps, const std::map<uint64_t, std::string>& vmFlags);

  // Index into State::sharedMemory of the object with this identity, made on first sight. `path`: "/proc/PID/fd/N" or the like,
  // through which its contents can be read.
  uint32_t sharedObject(uint64_t device, uint64_t inode, const std::string& link, const std::string& path);

  // Reads the contents of all shared objects. While everything is stopped.
  void saveShared(PageWriter& pages);

 private:
  uint32_t mappedFile(pid_t pid, const MapLine& line);

  State& state_;
  GhostCollector& ghosts_;
  std::map<std::string, uint32_t> files_;  // by path; those without a name by their number among the ghosts
  std::map<std::pair<uint64_t, uint64_t>, uint32_t> shared_;
  std::vector<std::string> sharedPaths_;
};

// Runs of pages in the process's private memory; where they will stand in the image (`position`) is not known yet.
std::vector<PageRun> findRuns(pid_t pid, const std::vector<Vma>& vmas);

// Takes pages that were read from `pieces` of a process to `bytes`, one after the other; may overwrite them. Says whether to go on.
using TakePages = std::function<bool(const std::vector<iovec>& pieces, char* bytes, size_t count)>;

// Reads the runs of a process, in batches. False when `take` said no. Throws Error.
bool copyRuns(pid_t pid, const std::vector<PageRun>& runs, const TakePages& take);

}  // namespace appshot
