// Open files of a whole tree: every open file description once, whoever shares it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/image/model.h"
#include "core/snapshot/collect_ghosts.h"
#include "core/snapshot/collect_memory.h"
#include "core/snapshot/course.h"
#include "core/snapshot/path_finder.h"
#include "core/snapshot/stopped_tree.h"

namespace appshot {

struct WaitingConnection;

// What a file collector shares with others.
struct FileCollecting {
  State& state;
  MemoryCollector& memory;
  GhostCollector& ghosts;
  const PathFinder& paths;  // knows the files that inotify sets watch
  pid_t podInit;
  Course& course;
};

class FileCollector {
 public:
  explicit FileCollector(const FileCollecting& with)
      : state_(with.state), memory_(with.memory), ghosts_(with.ghosts), paths_(with.paths), podInit_(with.podInit), course_(with.course) {}

  // Descriptors of one process. Call for every process, then finish(). Where the course is a rehearsal the processes run, and a
  // descriptor may be gone meanwhile (Error with errno EBADF or ENOENT).
  // Record locks of the process go to `locks`.
  std::vector<Descriptor> collect(pid_t pid, std::vector<RecordLock>& locks);
  // What needs all processes: the two ends of pipes and sockets, the targets of epoll sets.
  void finish();

 private:
  struct Opened {
    pid_t pid;
    int fd;
    UniqueFd here;      // the same open file description in this process
    std::string link;
    std::string info;
    uint64_t device, inode;
    uint32_t mode;
  };

  // `here`: descriptor `fd` of process `pid`, in this process.
  static Opened look(pid_t pid, int fd, UniqueFd here);
  void collectLocks(const Opened& opened, std::vector<RecordLock>& locks);
  uint32_t describe(Opened opened);
  void describeRegular(const Opened& opened, OpenFile& file);
  void describeFifo(const Opened& opened, OpenFile& file);
  void describePipe(const Opened& opened, OpenFile& file);
  void describeOwner(const Opened& opened, OpenFile& file);
  void describeAnonymous(const Opened& opened, OpenFile& file);
  void describePosixQueue(const Opened& opened, OpenFile& file);
  void describeTimer(const Opened& opened, OpenFile& file);
  void describePidfd(const Opened& opened, OpenFile& file);
  void describeInotify(const Opened& opened, OpenFile& file);
  void describeSocket(const Opened& opened, OpenFile& file);
  void describeUnix(const Opened& opened, OpenFile& file);
  static uint32_t modeOfName(const Opened& opened, const OpenFile& file);
  void describeInet(const Opened& opened, OpenFile& file);
  void describeNetlink(const Opened& opened, OpenFile& file);
  void describeTcp(const Opened& opened, OpenFile& file);
  // A descriptor of this process that came with a message over descriptor `over`.
  uint32_t describePassed(int over, UniqueFd passed);
  void collectQueues();
  void acceptWaiting();
  void refuseOutsiders(uint32_t listener) const;
  bool anyInsiderWaits(uint32_t listener) const;
  bool isInside(const WaitingConnection& waiting) const;
  void resolveEpoll(uint32_t index);
  void resolvePipes();
  void resolveUnix();
  void resolveTcp();
  void resolveHalf(uint32_t index);
  void keepOutside(uint32_t index);
  void readKept(int fd, OpenFile& file);
  std::string onItsWay(uint32_t from, uint32_t to) const;
  uint32_t objectNumber(uint64_t inode);

  State& state_;
  MemoryCollector& memory_;
  GhostCollector& ghosts_;
  const PathFinder& paths_;
  pid_t podInit_;
  Course& course_;
  std::vector<Opened> opened_;                            // beside State::files
  std::multimap<uint64_t, uint32_t> byInode_;
  std::map<uint64_t, uint32_t> objects_;
  std::map<std::pair<pid_t, int>, uint32_t> byDescriptor_;
  std::optional<std::vector<Membership>> multicastGroups_;  // that anybody in the pod has joined
  std::set<std::string> locksSeen_;                       // fdinfo shows a lock at every descriptor of its file
};

}  // namespace appshot
