// The part of FileCollector that knows descriptors without a file: what the kernel makes for events of all kinds.
#include <linux/kcmp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>

#include "core/snapshot/collect_files.h"
#include "core/snapshot/descriptor_info.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

void FileCollector::describeAnonymous(const Opened& opened, OpenFile& file) {
  if (opened.link == "anon_inode:[eventpoll]") {
    file.kind = static_cast<uint32_t>(FileKind::Epoll);
  } else if (opened.link == "anon_inode:[eventfd]") {
    file.kind = static_cast<uint32_t>(FileKind::Event);
    file.count = std::strtoull(infoField(opened.info, "eventfd-count:").c_str(), nullptr, 16);
    if (infoField(opened.info, "eventfd-semaphore:") == "1") file.timerFlags = 1;
  } else if (opened.link == "anon_inode:[signalfd]") {
    file.kind = static_cast<uint32_t>(FileKind::Signal);
    file.signalMask = std::strtoull(infoField(opened.info, "sigmask:").c_str(), nullptr, 16);
  } else if (opened.link == "anon_inode:[timerfd]") {
    describeTimer(opened, file);
  } else if (opened.link == "anon_inode:inotify") {
    describeInotify(opened, file);
  } else if (opened.link == "anon_inode:[pidfd]" || startsWith(opened.link, "pidfd:")) {
    describePidfd(opened, file);
  } else {
    throw Error("unsupported-state", "fd " + std::to_string(opened.fd) + " is an " + opened.link + "; not supported");
  }
}

void FileCollector::describeTimer(const Opened& opened, OpenFile& file) {
  file.kind = static_cast<uint32_t>(FileKind::Timer);
  file.clock = std::atoi(infoField(opened.info, "clockid:").c_str());
  file.count = std::strtoull(infoField(opened.info, "ticks:").c_str(), nullptr, 10);
  file.timerFlags = static_cast<uint32_t>(std::strtoul(infoField(opened.info, "settime flags:").c_str(), nullptr, 8));
  long seconds = 0, nanos = 0;
  if (std::sscanf(infoField(opened.info, "it_value:").c_str(), "(%ld, %ld)", &seconds, &nanos) == 2) file.valueNs = seconds * 1'000'000'000 + nanos;
  if (std::sscanf(infoField(opened.info, "it_interval:").c_str(), "(%ld, %ld)", &seconds, &nanos) == 2) file.intervalNs = seconds * 1'000'000'000 + nanos;
}

void FileCollector::describePidfd(const Opened& opened, OpenFile& file) {
  file.kind = static_cast<uint32_t>(FileKind::Pidfd);
  int pid = std::atoi(infoField(opened.info, "Pid:").c_str());
  file.ownerPid = -1;
  if (pid <= 0) return;  // it is gone, and nobody waits for it any more
  // A process of the pod: others have no id inside.
  file.ownerPid = std::atoi(infoField(opened.info, "NSpid:").substr(infoField(opened.info, "NSpid:").find_last_of("\t ") + 1).c_str());
  if (readLink("/proc/" + std::to_string(pid) + "/ns/pid") != readLink("/proc/" + std::to_string(podInit_) + "/ns/pid"))
    throw Error("unsupported-state", "fd " + std::to_string(opened.fd) + " is a pidfd of a process outside of the instance; not supported");
}

void FileCollector::describeInotify(const Opened& opened, OpenFile& file) {
  file.kind = static_cast<uint32_t>(FileKind::Inotify);
  std::string what = "fd " + std::to_string(opened.fd) + " is an inotify set";
  int waiting = 0;
  // They can be read only once.
  if (::ioctl(opened.here.get(), FIONREAD, &waiting) == 0 && waiting > 0) throw Error("unsupported-state", what + " with events that nobody has read; not supported");
  std::istringstream lines(opened.info);
  for (std::string line; std::getline(lines, line);) {
    unsigned number = 0, mask = 0;
    if (std::sscanf(line.c_str(), "inotify wd:%x ino:%*x sdev:%*x mask:%x", &number, &mask) < 2) continue;
    std::string path = paths_.pathOf(PathFinder::inodeIn(line));
    if (path.empty()) throw Error("unsupported-state", what + " whose watch " + std::to_string(number) + " is of a file that was not found; not supported");
    file.inotify.push_back({static_cast<int32_t>(number), mask, path});
  }
}

void FileCollector::resolveEpoll(uint32_t index) {
  const Opened& epoll = opened_[index];
  std::istringstream lines(epoll.info);
  std::map<int, uint32_t> seen;
  for (std::string line; std::getline(lines, line);) {
    int fd = 0;
    unsigned events = 0;
    unsigned long userData = 0, inode = 0;
    if (std::sscanf(line.c_str(), "tfd: %d events: %x data: %lx pos:%*d ino:%lx", &fd, &events, &userData, &inode) < 4) continue;
    // All eventfds and the like have one inode, and a number may have been closed or reused while another descriptor kept
    // the file open: only the kernel knows which file is watched. The same number may stand in a set several times.
    struct kcmp_epoll_slot slot{static_cast<uint32_t>(epoll.fd), static_cast<uint32_t>(fd), seen[fd]++};
    auto isWatched = [&](uint32_t candidate) {
      return ::syscall(SYS_kcmp, opened_[candidate].pid, epoll.pid, KCMP_EPOLL_TFD, opened_[candidate].fd, &slot) == 0;
    };
    auto same = byDescriptor_.find({epoll.pid, fd});
    uint32_t target = UINT32_MAX;
    if (same != byDescriptor_.end() && opened_[same->second].inode == inode && isWatched(same->second)) target = same->second;
    for (auto at = byInode_.lower_bound(inode); target == UINT32_MAX && at != byInode_.end() && at->first == inode; ++at)
      if (isWatched(at->second)) target = at->second;
    if (target == UINT32_MAX)
      throw Error("unsupported-state", "fd " + std::to_string(epoll.fd) + " is an epoll set that watches a file which nobody in the tree has open; not supported");
    state_.files[index].watches.push_back({fd, events, userData, target});
  }
}

}  // namespace appshot
