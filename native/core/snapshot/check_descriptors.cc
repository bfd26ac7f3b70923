#include "core/snapshot/check_descriptors.h"

#include <cstdlib>

#include "core/snapshot/descriptor_info.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

bool isKnownAnonymous(const std::string& link) {
  return link == "anon_inode:[eventpoll]" || link == "anon_inode:[eventfd]" || link == "anon_inode:[timerfd]" || link == "anon_inode:[signalfd]" ||
         link == "anon_inode:inotify" || startsWith(link, "anon_inode:[pidfd]");
}

bool isHarmlessDevice(const std::string& link) {
  return link == "/dev/null" || link == "/dev/zero" || link == "/dev/full" || link == "/dev/random" || link == "/dev/urandom" ||
         startsWith(link, "/dev/shm/") || startsWith(link, "/dev/zero");
}

std::string unsupportedKind(const std::string& link) {
  if (link == "anon_inode:[io_uring]") return "an io_uring";
  if (link == "anon_inode:[perf_event]") return "a perf event";
  if (startsWith(link, "anon_inode:bpf")) return "a BPF object";
  if (link == "anon_inode:[userfaultfd]") return "a userfaultfd";
  if (link == "anon_inode:[fanotify]") return "a fanotify watch";
  if (startsWith(link, "anon_inode:") && !isKnownAnonymous(link)) return "an " + link;
  if (startsWith(link, "/dev/pts/") || link == "/dev/tty" || link == "/dev/ptmx") return "the terminal " + link;
  bool hasNoPath = startsWith(link, "anon_inode:") || startsWith(link, "pipe:[") || startsWith(link, "socket:[") || startsWith(link, "pidfd:[");
  if (!hasNoPath && !startsWith(link, "/")) return link.find(":[") != std::string::npos ? "the namespace " + link : "the file " + link;
  if (startsWith(link, "/proc/") && link.find("/proc/sys") != 0) return "the file " + link;
  if (startsWith(link, "/dev/") && !isHarmlessDevice(link)) return "the device " + link;
  return "";
}

}  // namespace

std::string unsupportedDescriptor(pid_t pid, int fd, const std::string& link) {
  return startsWith(link, "/") && isPosixQueue(pid, fd) ? "" : unsupportedKind(link);
}

std::vector<std::string> unsupportedDescriptors(const std::string& who, pid_t pid) {
  std::vector<std::string> names;
  for (const std::string& name : listDirectory("/proc/" + std::to_string(pid) + "/fd")) {
    int fd = std::atoi(name.c_str());
    std::string link = readLink(fdPath(pid, fd, "fd"));
    if (link.empty()) continue;  // closed since
    std::string what = unsupportedDescriptor(pid, fd, link);
    if (!what.empty()) names.push_back(who + ": fd " + name + " is " + what + "; not supported");
  }
  return names;
}

}  // namespace appshot
