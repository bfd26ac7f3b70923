#include "core/snapshot/path_finder.h"

#include <dirent.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <set>
#include <sstream>

#include "core/snapshot/descriptor_info.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"
#include "core/sys/unique_fd.h"

namespace appshot {

namespace {

constexpr double kWalkUs = 1e6;
constexpr size_t kAtOnce = 500;

std::string rootOf(pid_t pid) { return "/proc/" + std::to_string(pid) + "/root"; }

// The path and all directories above it.
void addWithParents(std::set<std::string>& paths, std::string path) {
  if (path.empty() || path[0] != '/') return;
  while (path.size() > 1 && paths.insert(path).second) {
    size_t slash = path.rfind('/');
    path.resize(slash == 0 ? 1 : slash);
  }
  paths.insert("/");
}

std::vector<std::string> entriesOf(const std::string& directory, bool& isDirectory) {
  std::vector<std::string> names;
  DIR* open = ::opendir(directory.c_str());
  isDirectory = open != nullptr;
  if (!open) return names;
  while (dirent* entry = ::readdir(open)) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(open);
  return names;
}

}  // namespace

// "inotify wd:3 ino:9e7e sdev:800013 mask:800afce ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:7e9e0000640d1b6d"
PathFinder::Inode PathFinder::inodeIn(const std::string& line) {
  size_t number = line.find("ino:"), mask = line.find("mask:"), handle = line.find("fhandle-bytes:");
  if (number == std::string::npos || mask == std::string::npos) return "";
  return line.substr(number, mask - number) + (handle == std::string::npos ? "" : line.substr(handle));
}

std::vector<std::string> PathFinder::likelyPaths(pid_t pid) const {
  std::set<std::string> paths;
  std::string proc = "/proc/" + std::to_string(pid);
  addWithParents(paths, readLink(proc + "/cwd"));
  for (const MapLine& line : readMaps(std::to_string(pid))) addWithParents(paths, line.path);
  for (const std::string& name : listDirectory(proc + "/fd")) addWithParents(paths, readLink(proc + "/fd/" + name));
  for (const char* file : {"/cmdline", "/environ"}) {
    std::istringstream words(readFileIfThere(proc + file));
    for (std::string word; std::getline(words, word, '\0');) addWithParents(paths, word.substr(word[0] == '/' ? 0 : word.find('=') + 1));
  }
  return {paths.begin(), paths.end()};
}

void PathFinder::tryPaths(pid_t pid, const std::vector<std::string>& paths) {
  std::string root = rootOf(pid);
  for (size_t at = 0; at < paths.size();) {
    UniqueFd probe = sysFd("make a watch", [] { return ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK); });
    std::map<int, const std::string*> byWatch;
    for (size_t end = std::min(paths.size(), at + kAtOnce); at < end; at++) {
      int watch = ::inotify_add_watch(probe.get(), (root + paths[at]).c_str(), IN_DELETE_SELF | IN_DONT_FOLLOW);
      if (watch >= 0) byWatch.emplace(watch, &paths[at]);
    }
    std::istringstream lines(readFile("/proc/self/fdinfo/" + std::to_string(probe.get())));
    for (std::string line; std::getline(lines, line);) {
      unsigned watch = 0;  // in hexadecimal
      if (std::sscanf(line.c_str(), "inotify wd:%x", &watch) == 1 && byWatch.count(static_cast<int>(watch))) known_.emplace(inodeIn(line), *byWatch[static_cast<int>(watch)]);
    }
  }
}

// Breadth first: what is watched mostly lies near.
void PathFinder::walk(pid_t pid, const std::vector<std::string>& from, const Inode& wanted, double deadlineUs) {
  std::string root = rootOf(pid);
  std::deque<std::string> directories(from.begin(), from.end());
  std::set<std::string> seen(from.begin(), from.end());
  std::vector<std::string> batch;
  while (!directories.empty() && monotonicUs() < deadlineUs) {
    std::string directory = directories.front();
    directories.pop_front();
    if (startsWith(directory, "/proc") || startsWith(directory, "/sys")) continue;
    bool isDirectory = false;
    for (const std::string& name : entriesOf(root + directory, isDirectory)) {
      std::string path = (directory == "/" ? "" : directory) + "/" + name;
      if (seen.insert(path).second) directories.push_back(path);
      batch.push_back(path);
    }
    if (batch.size() < kAtOnce && !directories.empty()) continue;
    tryPaths(pid, batch);
    batch.clear();
    if (known_.count(wanted)) return;
  }
}

void PathFinder::learn(pid_t pid, const Inode& inode, double deadlineUs) {
  if (known_.count(inode)) return;
  tryPaths(pid, likelyPaths(pid));
  if (!known_.count(inode)) walk(pid, {readLink("/proc/" + std::to_string(pid) + "/cwd"), "/etc", "/tmp", "/run", "/var", "/srv", "/"}, inode, deadlineUs);
}

void PathFinder::learnWatched(pid_t pid) {
  double deadlineUs = monotonicUs() + kWalkUs;
  std::string proc = "/proc/" + std::to_string(pid);
  for (const std::string& fd : listDirectory(proc + "/fd")) {
    if (readLink(proc + "/fd/" + fd) != "anon_inode:inotify") continue;
    std::istringstream lines(readFileIfThere(proc + "/fdinfo/" + fd));
    for (std::string line; std::getline(lines, line);)
      if (startsWith(line, "inotify wd:")) learn(pid, inodeIn(line), deadlineUs);
  }
}

std::string PathFinder::pathOf(const Inode& inode) const {
  auto known = known_.find(inode);
  return known != known_.end() ? known->second : "";
}

}  // namespace appshot
