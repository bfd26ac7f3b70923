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

#include "core/snapshot/check_descriptors.h"
#include "core/snapshot/collect_queues.h"
#include "core/snapshot/descriptor_info.h"
#include "core/snapshot/unix_peers.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

// The same open file description, in this process.
UniqueFd borrow(pid_t pid, int fd) {
  UniqueFd process = sysFd("open process " + std::to_string(pid), [&] { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); });
  return sysFd("borrow fd " + std::to_string(fd) + " of process " + std::to_string(pid),
               [&] { return static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), fd, 0)); });
}

}  // namespace

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
    bool closeOnExec = std::strtoul(infoField(opened.info, "flags:").c_str(), nullptr, 8) & O_CLOEXEC;
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
  // It may have come since the look, or be on its way over a socket.
  if (std::string what = unsupportedDescriptor(opened.pid, opened.fd, opened.link); !what.empty())
    throw Error("unsupported-state", "fd " + std::to_string(opened.fd) + " is " + what + "; not supported");
  auto index = static_cast<uint32_t>(opened_.size());
  OpenFile file;
  file.flags = static_cast<uint32_t>(std::strtoul(infoField(opened.info, "flags:").c_str(), nullptr, 8)) & ~static_cast<uint32_t>(O_CLOEXEC);
  file.position = std::strtoull(infoField(opened.info, "pos:").c_str(), nullptr, 10);
  describeOwner(opened, file);
  if (S_ISSOCK(opened.mode)) describeSocket(opened, file);
  else if (startsWith(opened.link, "pipe:")) describePipe(opened, file);
  else if (startsWith(opened.link, "anon_inode:") || startsWith(opened.link, "pidfd:")) describeAnonymous(opened, file);
  else if (startsWith(opened.link, "/memfd:")) {
    file.kind = static_cast<uint32_t>(FileKind::Memfd);
    file.object = memory_.sharedObject(opened.device, opened.inode, opened.link, fdPath(opened.pid, opened.fd, "fd"));
  } else if (S_ISFIFO(opened.mode)) describeFifo(opened, file);
  else if (isPosixQueue(opened.pid, opened.fd)) describePosixQueue(opened, file);
  else describeRegular(opened, file);
  // Held by us, a file that its program closes would stay locked and, where it may be written, could not be run.
  if (course_.rehearses && S_ISREG(opened.mode)) opened.here.reset();
  state_.files.push_back(std::move(file));
  byInode_.emplace(opened.inode, index);
  opened_.push_back(std::move(opened));
  return index;
}

// Who gets SIGIO. The kernel tells its pid as we see it.
void FileCollector::describeOwner(const Opened& opened, OpenFile& file) {
  file.ownerSignal = std::max(0, ::fcntl(opened.here.get(), F_GETSIG));
  struct f_owner_ex owner{};
  if (::fcntl(opened.here.get(), F_GETOWN_EX, &owner) != 0 || owner.pid == 0) return;
  // A group is named after a process that may be gone.
  bool isThere = ::access(("/proc/" + std::to_string(owner.pid)).c_str(), F_OK) == 0;
  file.ownerPid = isThere ? virtualPid(owner.pid) : 0;
  if (file.ownerPid != 0) file.ownerType = owner.type;
}

// What stands in a pipe: copied, not taken, since the snapshot may be given up. In packet mode a read gives one packet.
static std::vector<std::string> peekPipe(int pipe) {
  int queued = 0, size = ::fcntl(pipe, F_GETPIPE_SZ);
  if (::ioctl(pipe, FIONREAD, &queued) < 0 || queued == 0) return {};
  int ends[2];
  sys("make a pipe", [&] { return ::pipe2(ends, O_CLOEXEC | O_NONBLOCK); });
  UniqueFd out(ends[0]), in(ends[1]);
  ::fcntl(in.get(), F_SETPIPE_SZ, size);
  ssize_t copied = sys("copy the contents of a pipe", [&] { return ::tee(pipe, in.get(), static_cast<size_t>(size), SPLICE_F_NONBLOCK); });
  std::vector<std::string> parts;
  for (size_t left = static_cast<size_t>(copied); left > 0; left -= parts.back().size()) {
    std::string part(left, '\0');
    part.resize(static_cast<size_t>(sys("read a copied pipe", [&] { return ::read(out.get(), part.data(), part.size()); })));
    if (part.empty()) break;
    parts.push_back(std::move(part));
  }
  return parts;
}

void FileCollector::describeFifo(const Opened& opened, OpenFile& file) {
  file.kind = static_cast<uint32_t>(FileKind::Fifo);
  file.path = opened.link;
  file.mode = opened.mode & 07777;
  if (isNameless(opened.link)) throw Error("unsupported-state", "fd " + std::to_string(opened.fd) + " is the deleted fifo " + opened.link + "; not supported");
  if ((file.flags & O_ACCMODE) == O_WRONLY || objects_.count(opened.inode) > 0) return;
  objectNumber(opened.inode);  // its contents are everybody's: kept once
  if (course_.rehearses) return;
  for (const std::string& part : peekPipe(opened.here.get())) file.contents += part;
}

void FileCollector::describeRegular(const Opened& opened, OpenFile& file) {
  file.kind = static_cast<uint32_t>(FileKind::Regular);
  file.path = opened.link;
  file.mode = opened.mode & 07777;
  std::string what = "fd " + std::to_string(opened.fd);
  std::istringstream lines(opened.info);
  for (std::string line; std::getline(lines, line);) {
    if (!startsWith(line, "lock:")) continue;
    bool writes = line.find("WRITE") != std::string::npos;
    if (line.find("FLOCK") != std::string::npos) file.flockType = writes ? LOCK_EX : LOCK_SH;
    if (line.find("LEASE") == std::string::npos) continue;
    // "BREAKING": somebody waits for the holder, who has been told and will not be told again.
    if (line.find("ACTIVE") == std::string::npos) throw Error("unsupported-state", what + " (" + opened.link + ") holds a lease that is being broken; not supported");
    file.leaseType = writes ? F_WRLCK : F_RDLCK;
  }
  if (!isNameless(opened.link)) return;
  file.deleted = true;
  file.object = ghosts_.ghost({opened.pid, what, opened.link, fdPath(opened.pid, opened.fd, "fd"), (file.flags & O_ACCMODE) != O_RDONLY});
  file.path = state_.ghosts[file.object].path;
}

uint32_t FileCollector::objectNumber(uint64_t inode) { return objects_.try_emplace(inode, static_cast<uint32_t>(objects_.size())).first->second; }

void FileCollector::describePipe(const Opened& opened, OpenFile& file) {
  file.kind = static_cast<uint32_t>(FileKind::Pipe);
  file.object = objectNumber(opened.inode);
  file.writeEnd = (file.flags & O_ACCMODE) == O_WRONLY;
  int size = ::fcntl(opened.here.get(), F_GETPIPE_SZ);
  file.count = size > 0 ? static_cast<uint64_t>(size) : 0;
  if (file.writeEnd || course_.rehearses) return;
  for (std::string& part : peekPipe(opened.here.get())) {
    file.contents += part;
    file.messages.push_back({std::move(part), "", {}});
  }
}

void FileCollector::describePosixQueue(const Opened& opened, OpenFile& file) {
  file.kind = static_cast<uint32_t>(FileKind::PosixQueue);
  file.path = opened.link;
  auto known = std::find_if(state_.ipc.begin(), state_.ipc.end(), [&](const IpcObject& object) {
    return object.kind == static_cast<uint32_t>(IpcKind::PosixQueue) && static_cast<uint64_t>(object.id) == objectNumber(opened.inode);
  });
  file.object = static_cast<uint32_t>(known - state_.ipc.begin());
  if (known != state_.ipc.end()) return;
  state_.ipc.push_back(describeQueue("fd " + std::to_string(opened.fd), opened.link, fdPath(opened.pid, opened.fd, "fd")));
  IpcObject& queue = state_.ipc.back();
  queue.id = static_cast<int32_t>(objectNumber(opened.inode));
  if (queue.destroyed && !course_.rehearses) readQueueMessages(fdPath(opened.pid, opened.fd, "fd"), queue);
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

void FileCollector::resolvePipes() {
  for (uint32_t index = 0; index < state_.files.size(); index++) {
    const OpenFile& file = state_.files[index];
    if (file.kind != static_cast<uint32_t>(FileKind::Pipe)) continue;
    bool hasOther = std::any_of(state_.files.begin(), state_.files.end(), [&](const OpenFile& other) {
      return other.kind == file.kind && other.object == file.object && other.writeEnd != file.writeEnd;
    });
    bool inPackets = std::any_of(state_.files.begin(), state_.files.end(), [&](const OpenFile& other) {
      return other.kind == file.kind && other.object == file.object && other.writeEnd && (other.flags & O_DIRECT);
    });
    if (inPackets) state_.files[index].contents.clear();
    else state_.files[index].messages.clear();
    if (hasOther) continue;
    // Without the other end in the tree it must be closed; or somebody outside is talking to us.
    pollfd query{opened_[index].here.get(), POLLIN | POLLOUT, 0};
    ::poll(&query, 1, 0);
    if (!(query.revents & (POLLHUP | POLLERR)))
      throw Error("unsupported-state", "fd " + std::to_string(opened_[index].fd) + " is a pipe whose other end is outside of the instance; not supported");
  }
}

}  // namespace appshot
