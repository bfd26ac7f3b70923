#include "core/pod/cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <sstream>

#include "core/pod/owner.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr const char* kControllers[] = {"memory", "pids", "cpu", "cpuacct"};

bool isController(const std::string& name) {
  return std::any_of(std::begin(kControllers), std::end(kControllers), [&](const char* known) { return name == known; });
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
  return parts;
}

// Cgroup of this process by controller, as in /proc/self/cgroup.
std::map<std::string, std::string> ownV1Paths() {
  std::map<std::string, std::string> paths;
  for (const auto& line : split(readFile("/proc/self/cgroup"), '\n')) {
    auto first = line.find(':');
    auto second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    for (const auto& name : split(line.substr(first + 1, second - first - 1), ',')) paths[name] = line.substr(second + 1);
  }
  return paths;
}

void makeDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) throwErrno("make cgroup " + path, errno);
}

// Where a limit is only an aid (the controller may not be there), a refusal of the kernel is no reason to fail.
bool tryWrite(const std::string& path, const std::string& text) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd.valid() && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

uint64_t numberIn(const std::string& path) { return std::strtoull(readFileIfThere(path).c_str(), nullptr, 10); }

// The value of `key` in a file of "key value" lines.
uint64_t fieldIn(const std::string& path, const std::string& key) {
  std::istringstream stream(readFileIfThere(path));
  std::string name;
  for (uint64_t value; stream >> name >> value;) {
    if (name == key) return value;
  }
  return 0;
}

bool removeDirectory(const std::string& path) {
  // The kernel says EBUSY for a moment after the last process is gone.
  for (double end = monotonicUs() + 2e6; monotonicUs() < end; ::usleep(500)) {
    if (::rmdir(path.c_str()) == 0 || errno == ENOENT) return true;
    if (errno != EBUSY) return false;
  }
  return false;
}

}  // namespace

void PodCgroup::limit(const CgroupLimits& limits) const {
  std::lock_guard lock(shared_->mutex);
  if (shared_->isRemoved) return;
  auto at = [&](const char* controller) {
    auto found = v1.find(controller);
    return found == v1.end() ? std::string() : found->second;
  };
  // Only those that somebody wants: each is memory of the kernel, and time whenever a process joins.
  auto make = [&](const char* controller) {
    if (!at(controller).empty()) makeDirectory(at(controller));
  };
  if (limits.memoryBytes > 0) {
    auto bytes = std::to_string(limits.memoryBytes);
    if (!at("memory").empty()) tryWrite(at("memory") + "/memory.limit_in_bytes", bytes);
    else tryWrite(v2 + "/memory.max", bytes);
  }
  if (limits.pids > 0) {
    auto count = std::to_string(limits.pids);
    make("pids");
    if (!at("pids").empty()) tryWrite(at("pids") + "/pids.max", count);
    else tryWrite(v2 + "/pids.max", count);
  }
  if (limits.cpus > 0) {
    auto quotaUs = std::to_string(static_cast<uint64_t>(std::max(1000.0, limits.cpus * 100'000)));
    make("cpu");
    if (!at("cpu").empty()) tryWrite(at("cpu") + "/cpu.cfs_quota_us", quotaUs);
    else tryWrite(v2 + "/cpu.max", quotaUs + " 100000");
  }
}

CgroupUsage PodCgroup::usage() const {
  CgroupUsage usage;
  if (auto memory = v1.find("memory"); memory != v1.end()) {
    uint64_t all = numberIn(memory->second + "/memory.usage_in_bytes");
    usage.memoryBytes = all - std::min(all, fieldIn(memory->second + "/memory.stat", "total_inactive_file"));
  } else {
    uint64_t all = numberIn(v2 + "/memory.current");
    usage.memoryBytes = all - std::min(all, fieldIn(v2 + "/memory.stat", "inactive_file"));
  }
  if (!v2.empty()) usage.cpuUs = fieldIn(v2 + "/cpu.stat", "usage_usec");
  if (usage.cpuUs == 0) {
    if (auto cpu = v1.find("cpuacct"); cpu != v1.end()) usage.cpuUs = numberIn(cpu->second + "/cpuacct.usage") / 1000;
  }
  return usage;
}

std::vector<pid_t> PodCgroup::pids() const {
  std::lock_guard lock(shared_->mutex);
  return readPids();
}

std::vector<pid_t> PodCgroup::readPids() const {
  std::string directory = !v2.empty() ? v2 : v1.empty() ? "" : v1.begin()->second;
  std::vector<pid_t> pids;
  std::istringstream stream(readFileIfThere(directory + "/cgroup.procs"));
  for (pid_t pid; stream >> pid;) pids.push_back(pid);
  return pids;
}

std::vector<UniqueFd> PodCgroup::openV1Procs() const {
  std::vector<UniqueFd> procs;
  std::set<std::string> directories;
  for (const auto& [controller, directory] : v1) directories.insert(directory);
  for (const auto& directory : directories) {
    std::string path = directory + "/cgroup.procs";
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (fd.valid()) procs.push_back(std::move(fd));
    else if (errno != ENOENT) throwErrno("open " + path, errno);
  }
  return procs;
}

void PodCgroup::moveIntoV1() const {
  if (v1.empty() || v2.empty()) return;
  std::lock_guard lock(shared_->mutex);
  if (shared_->isRemoved) return;
  auto procs = openV1Procs();
  std::set<pid_t> moved;
  // A child that a process forked before it was moved is still elsewhere: until there is nobody new.
  for (bool more = true; more;) {
    more = false;
    for (pid_t pid : readPids()) {
      if (!moved.insert(pid).second) continue;
      more = true;
      std::string text = std::to_string(pid);
      // ESRCH: it has ended.
      for (const auto& fd : procs) [[maybe_unused]] auto n = ::write(fd.get(), text.data(), text.size());
    }
  }
}

void PodCgroup::kill() const {
  if (!v2.empty() && tryWrite(v2 + "/cgroup.kill", "1")) return;
  for (int round = 0; round < 100; ++round) {
    auto left = pids();
    if (left.empty()) return;
    for (pid_t pid : left) ::kill(pid, SIGKILL);
  }
}

bool PodCgroup::remove() const {
  std::lock_guard lock(shared_->mutex);
  shared_->isRemoved = true;
  bool gone = v2.empty() || removeDirectory(v2);
  // Controllers that are mounted together (cpu,cpuacct) share a directory.
  std::set<std::string> directories;
  for (const auto& [controller, directory] : v1) directories.insert(directory);
  for (const auto& directory : directories) gone = removeDirectory(directory) && gone;
  return gone;
}

CgroupTree CgroupTree::find(const std::string& owner) {
  CgroupTree tree;
  auto own = ownV1Paths();
  for (const auto& line : split(readFile("/proc/self/mountinfo"), '\n')) {
    auto dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    auto before = split(line.substr(0, dash), ' ');
    auto after = split(line.substr(dash + 3), ' ');
    if (before.size() < 5 || after.size() < 3) continue;
    if (after[0] == "cgroup2" && tree.v2_.empty()) tree.v2_ = before[4] + "/" + cgroupNameOf(owner);
    if (after[0] != "cgroup") continue;
    for (const auto& option : split(after[2], ',')) {
      if (!isController(option) || !own.count(option)) continue;
      // The mount may show a part of the hierarchy only (a container): then its own root is where this process is.
      std::string below = own[option] == "/" || before[3] != "/" ? "" : own[option];
      tree.v1_[option] = before[4] + below + "/" + cgroupNameOf(owner);
    }
  }
  if (tree.v2_.empty() && !tree.v1_.count("pids")) {
    throw Error("internal", "no cgroup file system is mounted: mount cgroup2 on /sys/fs/cgroup");
  }
  return tree;
}

void CgroupTree::start() const {
  if (!v2_.empty()) {
    makeDirectory(v2_);
    for (const char* controller : {"+memory", "+pids", "+cpu"}) {
      tryWrite(v2_.substr(0, v2_.rfind('/')) + "/cgroup.subtree_control", controller);
      tryWrite(v2_ + "/cgroup.subtree_control", controller);
    }
  }
  for (const auto& [controller, directory] : v1_) makeDirectory(directory);
}

PodCgroup CgroupTree::of(unsigned number) const {
  PodCgroup pod;
  if (!v2_.empty()) pod.v2 = v2_ + "/" + std::to_string(number);
  for (const auto& [controller, directory] : v1_) pod.v1[controller] = directory + "/" + std::to_string(number);
  return pod;
}

PodCgroup CgroupTree::make(unsigned number) const {
  PodCgroup pod = of(number);
  if (!pod.v2.empty()) makeDirectory(pod.v2);
  for (const auto& [controller, directory] : pod.v1) {
    // v2 counts CPU time by itself, and lists, kills and freezes; who has only v1 needs all of them.
    if (pod.v2.empty() || controller == "memory") makeDirectory(directory);
  }
  return pod;
}

std::vector<unsigned> CgroupTree::numbers() const {
  std::set<unsigned> found;
  auto look = [&](const std::string& directory) {
    struct stat st;
    if (::stat(directory.c_str(), &st) != 0) return;
    for (const auto& name : listDirectory(directory)) {
      unsigned number = static_cast<unsigned>(std::strtoul(name.c_str(), nullptr, 10));
      if (number > 0) found.insert(number);
    }
  };
  if (!v2_.empty()) look(v2_);
  for (const auto& [controller, directory] : v1_) look(directory);
  return {found.begin(), found.end()};
}

void CgroupTree::close() const {
  if (!v2_.empty()) removeDirectory(v2_);
  for (const auto& [controller, directory] : v1_) removeDirectory(directory);
}

}  // namespace appshot
