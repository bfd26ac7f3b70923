#include "keeper/layer_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "core/sys/sys.h"
#include "keeper/layer_tree.h"

namespace fs = std::filesystem;

namespace appshot {

void LayerStore::start() {
  if (::mkdir(directory_.c_str(), 0700) != 0 && errno != EEXIST) throwErrno("make directory " + directory_, errno);
}

void LayerStore::sweep() {
  std::lock_guard lock(mutex_);
  for (const auto& id : listDirectory(directory_)) {
    if (!references_.count(id)) janitor_.remove(directory_ + "/" + id);
  }
}

std::string LayerStore::create() {
  std::string id;
  {
    std::lock_guard lock(mutex_);
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    char name[32];
    std::snprintf(name, sizeof name, "%llx%05lx%u", static_cast<unsigned long long>(now.tv_sec), now.tv_nsec / 1000, ++made_);
    id = name;
    references_[id] = 1;
  }
  try {
    for (const std::string& path : {directory_ + "/" + id, rootOf(id), cwdOf(id)}) {
      sys("make layer " + path, [&] { return ::mkdir(path.c_str(), 0755); });
    }
  } catch (...) {
    release({id});
    throw;
  }
  return id;
}

void LayerStore::copyInto(const std::string& from, const std::string& to) {
  copyLayerTree(rootOf(from), rootOf(to), LayerFiles::kCopied);
  copyLayerTree(cwdOf(from), cwdOf(to), LayerFiles::kCopied);
}

std::string LayerStore::merge(const std::vector<std::string>& ids) {
  std::string made = create();
  try {
    for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
      mergeLayerTree(rootOf(*id), rootOf(made));
      mergeLayerTree(cwdOf(*id), cwdOf(made));
    }
  } catch (...) {
    release({made});
    throw;
  }
  return made;
}

void LayerStore::sync(const std::string& id) const {
  syncLayerTree(rootOf(id));
  syncLayerTree(cwdOf(id));
  for (const std::string& path : {directory_ + "/" + id, directory_}) {
    UniqueFd fd = sysFd("open " + path, [&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    sys("sync " + path, [&] { return ::fsync(fd.get()); });
  }
}

uint64_t LayerStore::bytes(const std::string& id) const { return bytesInLayerTree(rootOf(id)) + bytesInLayerTree(cwdOf(id)); }

void LayerStore::retain(const std::vector<std::string>& ids) {
  std::lock_guard lock(mutex_);
  for (const auto& id : ids) ++references_[id];
}

void LayerStore::release(const std::vector<std::string>& ids) {
  std::lock_guard lock(mutex_);
  for (const auto& id : ids) {
    auto found = references_.find(id);
    if (found == references_.end() || --found->second > 0) continue;
    references_.erase(found);
    janitor_.remove(directory_ + "/" + id);
  }
}

}  // namespace appshot
