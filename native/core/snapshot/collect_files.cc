#include "core/snapshot/collect_files.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <sstream>

#include "core/snapshot/unix_peers.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr std::string_view kDeleted = " (deleted)";
// Contents of a file that has no name any more travel inside the image up to this size.
constexpr uint64_t kMaxGhostBytes = 64ull << 20;

bool startsWith(std::string_view text, std::string_view start) { return text.substr(0, start.size()) == start; }

std::string field(const std::string& info, std::string_view name) {
  std::istringstream lines(info);
  for (std::string line; std::getline(lines, line);)
    if (startsWith(line, name)) {
      size_t value = line.find_first_not_of(" \t", name.size());
      return value == std::string::npos ? "" : line.substr(value);
    }
  return "";
}

// The same open file description, in this process.
UniqueFd borrow(pid_t pid, int fd) {
  UniqueFd process = sysFd("open process " + std::to_string(pid), [&] { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); });
  return sysFd("borrow fd " + std::to_string(fd) + " of process " + std::to_string(pid),
               [&] { return static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), fd, 0)); });
}

std::string fdPath(pid_t pid, int fd, const char* where) { return "/proc/" + std::to_string(pid) + "/" + where + "/" + std::to_string(fd); }

// Their names look like those of files in the root directory.
bool isMessageQueue(pid_t pid, int fd) {
  constexpr long kMqueue = 0x19800202;  // MQUEUE_MAGIC
  struct statfs system{};
  return ::statfs(fdPath(pid, fd, "fd").c_str(), &system) == 0 && system.f_type == kMqueue;
}

}  // namespace

std::vector<std::string> unsupportedDescriptors(const std::string& who, pid_t pid) {
  std::vector<std::string> names;
  for (const std::string& name : listDirectory("/proc/" + std::to_string(pid) + "/fd")) {
    int fd = std::atoi(name.c_str());
    std::string link = readLink(fdPath(pid, fd, "fd"));
    auto refuse = [&](const std::string& what) { names.push_back(who + ": fd " + name + " is " + what + "; not supported"); };
    if (link == "anon_inode:[io_uring]") refuse("an io_uring");
    else if (link == "anon_inode:[perf_event]") refuse("a perf event");
    else if (startsWith(link, "anon_inode:bpf")) refuse("a BPF object");
    else if (link == "anon_inode:[userfaultfd]") refuse("a userfaultfd");
    else if (link == "anon_inode:inotify" || link == "anon_inode:[fanotify]") refuse("an inotify or fanotify watch");
    else if (startsWith(link, "anon_inode:[pidfd]") || startsWith(link, "pidfd:")) refuse("a pidfd");
    else if (startsWith(link, "anon_inode:") && link != "anon_inode:[eventpoll]" && link != "anon_inode:[eventfd]" &&
             link != "anon_inode:[timerfd]" && link != "anon_inode:[signalfd]") refuse("an " + link);
    else if (startsWith(link, "/dev/pts/") || link == "/dev/tty" || link == "/dev/ptmx") refuse("the terminal " + link);
    else if (startsWith(link, "net:[") || startsWith(link, "mnt:[") || startsWith(link, "pid:[") || startsWith(link, "user:[")) refuse("a namespace");
    else if (link.rfind('/') == 0 && isMessageQueue(pid, fd)) refuse("the POSIX message queue " + link);
    else if (startsWith(link, "/proc/") && link.find("/proc/sys") != 0) refuse("the file " + link);
    else if (startsWith(link, "/dev/") && link != "/dev/null" && link != "/dev/zero" && link != "/dev/full" && link != "/dev/random" &&
             link != "/dev/urandom" && !startsWith(link, "/dev/shm/") && !startsWith(link, "/dev/zero")) refuse("the device " + link);
  }
  return names;
}

FileCollector::FileCollector(State& state, MemoryCollector& memory, pid_t podInit, Course& course)
    : state_(state), memory_(memory), podInit_(podInit), course_(course) {}

FileCollector::Opened FileCollector::look(pid_t pid, int fd, UniqueFd here) {
  Opened opened{pid, fd, std::move(here), readLink(fdPath(pid, fd, "fd")), readFile(fdPath(pid, fd, "fdinfo")), 0, 0, 0};
  struct stat status{};
  sys("stat fd", [&] { return ::fstat(opened.here.get(), &status); });
  opened.device = status.st_dev;
  opened.inode = status.st_ino;
  opened.mode = status.st_mode;
  return opened;
}

std::vector<Descriptor> FileCollector::collect(pid_t pid, std::vector<RecordLock>& locks) {
  locksSeen_.clear();
  std::vector<Descriptor> descriptors;
  std::vector<int> fds;
  for (const std::string& name : listDirectory("/proc/" + std::to_string(pid) + "/fd")) fds.push_back(std::atoi(name.c_str()));
  std::sort(fds.begin(), fds.end());
  for (int fd : fds) {
    Opened opened = look(pid, fd, borrow(pid, fd));
    bool closeOnExec = std::strtoul(field(opened.info, "flags:").c_str(), nullptr, 8) & O_CLOEXEC;
    collectLocks(opened, locks);
    uint32_t index = describe(std::move(opened));
    byDescriptor_[{pid, fd}] = index;
    descriptors.push_back({fd, index, closeOnExec});
  }
  return descriptors;
}

// "lock:\t1: POSIX  ADVISORY  WRITE 1234 00:2f:5678 0 EOF"; OFDLCK for locks of the open file description.
void FileCollector::collectLocks(const Opened& opened, std::vector<RecordLock>& locks) {
  std::istringstream lines(opened.info);
  for (std::string line; std::getline(lines, line);) {
    char kind[16]{}, access[16]{}, end[32]{};
    long start = 0;
    if (std::sscanf(line.c_str(), "lock: %*d: %15s %*s %15s %*d %*s %ld %31s", kind, access, &start, end) < 4) continue;
    bool ofd = std::strcmp(kind, "OFDLCK") == 0;
    if (!ofd && std::strcmp(kind, "POSIX") != 0) continue;
    std::string identity = std::to_string(opened.inode) + line.substr(line.find(kind));
    if (!locksSeen_.insert(identity).second) continue;
    long length = std::strcmp(end, "EOF") == 0 ? 0 : std::atol(end) - start + 1;
    locks.push_back({opened.fd, std::strcmp(access, "WRITE") == 0 ? F_WRLCK : F_RDLCK, start, length, ofd});
  }
}

uint32_t FileCollector::describe(Opened opened) {
  auto [first, last] = byInode_.equal_range(opened.inode);
  for (auto at = first; at != last; ++at) {
    const Opened& other = opened_[at->second];
    // 0: the same open file description
    if (other.device == opened.device && ::syscall(SYS_kcmp, other.pid, opened.pid, KCMP_FILE, other.fd, opened.fd) == 0) return at->second;
  }
  auto index = static_cast<uint32_t>(opened_.size());
  OpenFile file;
  file.flags = static_cast<uint32_t>(std::strtoul(field(opened.info, "flags:").c_str(), nullptr, 8)) & ~static_cast<uint32_t>(O_CLOEXEC);
  file.position = std::strtoull(field(opened.info, "pos:").c_str(), nullptr, 10);
  struct f_owner_ex owner{};
  if (::fcntl(opened.here.get(), F_GETOWN_EX, &owner) == 0 && owner.pid != 0) {
    file.ownerType = owner.type;
    file.ownerPid = owner.pid;
    file.ownerSignal = ::fcntl(opened.here.get(), F_GETSIG);
  }
  if (S_ISSOCK(opened.mode)) describeSocket(opened, file);
  else if (startsWith(opened.link, "pipe:")) describePipe(opened, file);
  else if (startsWith(opened.link, "anon_inode:")) describeAnonymous(opened, file);
  else if (startsWith(opened.link, "/memfd:")) {
    file.kind = static_cast<uint32_t>(FileKind::Memfd);
    file.object = memory_.sharedObject(opened.device, opened.inode, opened.link, fdPath(opened.pid, opened.fd, "fd"));
  } else describeRegular(opened, file);
  state_.files.push_back(std::move(file));
  byInode_.emplace(opened.inode, index);
  opened_.push_back(std::move(opened));
  return index;
}

// What stands in a pipe: copied, not taken, since the snapshot may be given up.
static std::string peekPipe(int pipe) {
  int queued = 0, size = ::fcntl(pipe, F_GETPIPE_SZ);
  if (::ioctl(pipe, FIONREAD, &queued) < 0 || queued == 0) return {};
  int ends[2];
  sys("make a pipe", [&] { return ::pipe2(ends, O_CLOEXEC | O_NONBLOCK); });
  UniqueFd out(ends[0]), in(ends[1]);
  ::fcntl(in.get(), F_SETPIPE_SZ, size);
  ssize_t copied = sys("copy the contents of a pipe", [&] { return ::tee(pipe, in.get(), static_cast<size_t>(size), SPLICE_F_NONBLOCK); });
  std::string contents(static_cast<size_t>(copied), '\0');
  for (size_t at = 0; at < contents.size();)
    at += static_cast<size_t>(sys("read a copied pipe", [&] { return ::read(out.get(), contents.data() + at, contents.size() - at); }));
  return contents;
}

void FileCollector::describeRegular(const Opened& opened, OpenFile& file) {
  file.kind = static_cast<uint32_t>(S_ISFIFO(opened.mode) ? FileKind::Fifo : FileKind::Regular);
  file.path = opened.link;
  file.mode = opened.mode & 07777;
  std::string lock = field(opened.info, "lock:");
  if (lock.find("FLOCK") != std::string::npos) file.flockType = lock.find("WRITE") != std::string::npos ? LOCK_EX : LOCK_SH;
  if (lock.find("LEASE") != std::string::npos) throw Error("unsupported-state", "fd " + std::to_string(opened.fd) + " (" + opened.link + ") holds a lease; not supported");
  struct stat status{};
  sys("stat " + opened.link, [&] { return ::fstat(opened.here.get(), &status); });
  if (S_ISFIFO(opened.mode) && (file.flags & O_ACCMODE) != O_WRONLY && objects_.count(opened.inode) == 0) {
    objectNumber(opened.inode);  // its contents are everybody's: kept once
    file.contents = peekPipe(opened.here.get());
  }
  if (status.st_nlink > 0 || !S_ISREG(opened.mode)) return;
  file.deleted = true;
  file.object = objectNumber(opened.inode);
  if (file.path.size() > kDeleted.size()) file.path.resize(file.path.size() - kDeleted.size());
  if (static_cast<uint64_t>(status.st_size) > kMaxGhostBytes)
    throw Error("unsupported-state", "fd " + std::to_string(opened.fd) + " is the deleted file " + file.path + " of more than 64 MiB; not supported");
  // Opened again for reading: the descriptor may be write-only.
  UniqueFd reader = sysFd("open deleted file " + file.path, [&] { return ::open(fdPath(opened.pid, opened.fd, "fd").c_str(), O_RDONLY | O_CLOEXEC); });
  file.contents.resize(static_cast<size_t>(status.st_size));
  ssize_t n = sys("read deleted file", [&] { return ::pread(reader.get(), file.contents.data(), file.contents.size(), 0); });
  file.contents.resize(static_cast<size_t>(n));
}

uint32_t FileCollector::objectNumber(uint64_t inode) { return objects_.try_emplace(inode, static_cast<uint32_t>(objects_.size())).first->second; }

void FileCollector::describePipe(const Opened& opened, OpenFile& file) {
  file.kind = static_cast<uint32_t>(FileKind::Pipe);
  file.object = objectNumber(opened.inode);
  file.writeEnd = (file.flags & O_ACCMODE) == O_WRONLY;
  int size = ::fcntl(opened.here.get(), F_GETPIPE_SZ);
  file.count = size > 0 ? static_cast<uint64_t>(size) : 0;
  if (file.writeEnd) return;
  file.contents = peekPipe(opened.here.get());
}

void FileCollector::describeAnonymous(const Opened& opened, OpenFile& file) {
  if (opened.link == "anon_inode:[eventpoll]") {
    file.kind = static_cast<uint32_t>(FileKind::Epoll);
  } else if (opened.link == "anon_inode:[eventfd]") {
    file.kind = static_cast<uint32_t>(FileKind::Event);
    file.count = std::strtoull(field(opened.info, "eventfd-count:").c_str(), nullptr, 16);
    if (field(opened.info, "eventfd-semaphore:") == "1") file.timerFlags = 1;
  } else if (opened.link == "anon_inode:[signalfd]") {
    file.kind = static_cast<uint32_t>(FileKind::Signal);
    file.signalMask = std::strtoull(field(opened.info, "sigmask:").c_str(), nullptr, 16);
  } else if (opened.link == "anon_inode:[timerfd]") {
    file.kind = static_cast<uint32_t>(FileKind::Timer);
    file.clock = std::atoi(field(opened.info, "clockid:").c_str());
    file.count = std::strtoull(field(opened.info, "ticks:").c_str(), nullptr, 10);
    file.timerFlags = static_cast<uint32_t>(std::strtoul(field(opened.info, "settime flags:").c_str(), nullptr, 8));
    long seconds = 0, nanos = 0;
    if (std::sscanf(field(opened.info, "it_value:").c_str(), "(%ld, %ld)", &seconds, &nanos) == 2) file.valueNs = seconds * 1'000'000'000 + nanos;
    if (std::sscanf(field(opened.info, "it_interval:").c_str(), "(%ld, %ld)", &seconds, &nanos) == 2) file.intervalNs = seconds * 1'000'000'000 + nanos;
  } else {
    throw Error("unsupported-state", "fd " + std::to_string(opened.fd) + " is an " + opened.link + "; not supported");
  }
}

void FileCollector::finish() {
  acceptWaiting();
  collectQueues();
  for (uint32_t index = 0; index < state_.files.size(); index++)
    if (state_.files[index].kind == static_cast<uint32_t>(FileKind::Epoll)) resolveEpoll(index);
  resolvePipes();
  resolveUnix();
  resolveTcp();
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

void FileCollector::resolvePipes() {
  for (uint32_t index = 0; index < state_.files.size(); index++) {
    const OpenFile& file = state_.files[index];
    if (file.kind != static_cast<uint32_t>(FileKind::Pipe)) continue;
    bool hasOther = std::any_of(state_.files.begin(), state_.files.end(), [&](const OpenFile& other) {
      return other.kind == file.kind && other.object == file.object && other.writeEnd != file.writeEnd;
    });
    bool packets = file.writeEnd && (file.flags & O_DIRECT);
    if (packets && std::any_of(state_.files.begin(), state_.files.end(), [&](const OpenFile& other) {
          return other.kind == file.kind && other.object == file.object && !other.contents.empty();
        }))
      throw Error("unsupported-state", "fd " + std::to_string(opened_[index].fd) + " is a pipe in packet mode with data in it; not supported");
    if (hasOther) continue;
    // Without the other end in the tree it must be closed; or somebody outside is talking to us.
    pollfd query{opened_[index].here.get(), POLLIN | POLLOUT, 0};
    ::poll(&query, 1, 0);
    if (!(query.revents & (POLLHUP | POLLERR)))
      throw Error("unsupported-state", "fd " + std::to_string(opened_[index].fd) + " is a pipe whose other end is outside of the instance; not supported");
  }
}

}  // namespace appshot
