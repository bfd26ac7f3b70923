// Address spaces: what is mapped, and which pages have to be saved.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/image/image.h"
#include "core/image/model.h"
#include "core/snapshot/stopped_tree.h"
#include "core/sys/proc.h"

namespace appshot {

// Names what is mapped and cannot be saved; empty when everything can.
std::vector<std::string> unsupportedMappings(const std::string& who, const std::vector<MapLine>& maps);

// Collects mapped files and shared memory of the whole tree, each once.
class MemoryCollector {
 public:
  explicit MemoryCollector(State& state) : state_(state) {}

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
  std::map<std::string, uint32_t> files_;
  std::map<std::pair<uint64_t, uint64_t>, uint32_t> shared_;
  std::vector<std::string> sharedPaths_;
};

// Runs of pages in the process's private memory, with `position` counted from `position` on.
std::vector<PageRun> findRuns(pid_t pid, const std::vector<Vma>& vmas, uint64_t position);

// Copies the runs of a process to `write`, in pieces. Throws Error; returns false when `go` says no.
bool copyRuns(pid_t pid, const std::vector<PageRun>& runs, const std::function<bool(const void*, size_t)>& write);

}  // namespace appshot
