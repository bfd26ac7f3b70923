#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include <algorithm>

#include "core/image/image.h"
#include "core/restore/compile.h"
#include "core/restore/socket_opener.h"
#include "core/sys/error.h"

namespace appshot {

namespace {

constexpr uint32_t kDefaultPipeBytes = 65536;

// Opens open file descriptions one by one; each ends above the numbers that the programs use.
class FileOpener : public Opening {
 public:
  FileOpener(Compiler& compiler, Tape& tape) : Opening(compiler, tape), sockets_(compiler, tape) {}

  void openAll() {
    makeSharedMemory();
    const std::vector<OpenFile>& files = compiler_.state.files;
    compiler_.files.assign(files.size(), Slot{});
    sockets_.openConnections();
    for (uint32_t index = 0; index < files.size(); index++)
      if (compiler_.files[index].number < 0) open(index);
    sockets_.finish();
  }

 private:
  void makeSharedMemory() {
    for (const SharedMemory& memory : compiler_.state.sharedMemory) {
      Slot slot = lift(tape_.call("make shared memory", SYS_memfd_create, {text(memory.name), MFD_CLOEXEC | MFD_ALLOW_SEALING}, true));
      tape_.call("size shared memory", SYS_ftruncate, {slot, memory.size});
      for (const PageRun& run : memory.runs) {
        uint64_t size = std::min(run.pages * kPageSize, memory.size - run.address);
        uint64_t position = compiler_.region.add(&run.position, sizeof run.position);
        tape_.call("seek in shared memory", SYS_lseek, {slot, run.address, SEEK_SET});
        tape_.callExact("fill shared memory", SYS_sendfile, {slot, compiler_.pages, position, size}, size);
      }
      tape_.call("seek in shared memory", SYS_lseek, {slot, 0, SEEK_SET});
      if (memory.seals && !(memory.seals & F_SEAL_FUTURE_WRITE)) tape_.call("seal shared memory", SYS_fcntl, {slot, F_ADD_SEALS, memory.seals});
      compiler_.sharedMemory.push_back(slot);
    }
  }

  void open(uint32_t index) {
    const OpenFile& file = compiler_.state.files[index];
    Slot& slot = compiler_.files[index];
    if (SocketOpener::knows(kindOf(file))) return sockets_.open(index);
    switch (kindOf(file)) {
      case FileKind::Regular:
      case FileKind::Fifo: openPath(index); break;
      case FileKind::Pipe: openPipe(index); break;
      case FileKind::Event: slot = openEvent(file); break;
      case FileKind::Epoll: slot = lift(tape_.call("make an epoll set", SYS_epoll_create1, {O_CLOEXEC}, true)); break;
      case FileKind::Timer: slot = openTimer(file); break;
      case FileKind::Signal: {
        uint64_t mask = compiler_.region.add(&file.signalMask, 8);
        slot = lift(tape_.call("make a signalfd", SYS_signalfd4, {-1, mask, 8, file.flags & O_NONBLOCK}, true));
        break;
      }
      case FileKind::Memfd: slot = openMemfd(file); break;
      case FileKind::Inotify: slot = lift(tape_.call("make a watch", SYS_inotify_init1, {O_NONBLOCK | O_CLOEXEC}, true)); break;
      case FileKind::PosixQueue:
        slot = lift(tape_.call("open a message queue", SYS_mq_open, {text(queueName(compiler_.state, file.object)), (file.flags & (O_ACCMODE | O_NONBLOCK)) | O_CLOEXEC, 0, 0}, true));
        break;
      case FileKind::Pidfd: break;  // when its process is there
      default: throw Error("image-invalid", "an open file is of an unknown kind");
    }
  }

  Slot openPath(uint32_t index) {
    const OpenFile& file = compiler_.state.files[index];
    if (file.deleted) compiler_.files[index] = openNamed(file, ghostName(compiler_.state, file.object));
    else if (kindOf(file) == FileKind::Fifo) compiler_.files[index] = openFifo(file);
    else compiler_.files[index] = openNamed(file, file.path);
    return settled(file, compiler_.files[index]);
  }

  Slot openNamed(const OpenFile& file, const std::string& path) {
    uint32_t without = O_CREAT | O_EXCL | O_TRUNC | O_ASYNC;
    if ((file.flags & O_TMPFILE) == O_TMPFILE) without |= O_TMPFILE;  // which has the bit of O_DIRECTORY in it
    uint32_t flags = (file.flags & ~without) | O_NOCTTY | O_CLOEXEC;
    return lift(tape_.call("open a file", SYS_openat, {AT_FDCWD, text(path), flags, 0}, true));
  }

  // Opening one end waits for the other: held open for both while that is done and while it is refilled.
  Slot openFifo(const OpenFile& file) {
    Slot holder = lift(tape_.call("open a fifo", SYS_openat, {AT_FDCWD, text(file.path), O_RDWR | O_NONBLOCK | O_CLOEXEC, 0}, true));
    Slot slot = openNamed(file, file.path);
    if (!file.contents.empty()) tape_.callExact("refill a fifo", SYS_write, {holder, bytes(file.contents), file.contents.size()}, file.contents.size());
    tape_.call("close a descriptor", SYS_close, {holder});
    return slot;
  }

  Slot settled(const OpenFile& file, Slot slot) {
    if (file.position) tape_.attempt("seek in a file", SYS_lseek, {slot, file.position, SEEK_SET});
    if (file.flockType >= 0) tape_.call("lock a file", SYS_flock, {slot, file.flockType | 4 /* LOCK_NB */});
    return slot;
  }

  // Both ends are made at once; the one that nobody holds is closed again.
  void openPipe(uint32_t index) {
    const OpenFile& file = compiler_.state.files[index];
    uint64_t ends = compiler_.region.reserve(8, 8);
    tape_.call("make a pipe", SYS_pipe2, {ends, O_CLOEXEC});
    if (file.count != 0 && file.count != kDefaultPipeBytes) tape_.attempt("size a pipe", SYS_fcntl, {tape_.load(ends), F_SETPIPE_SZ, file.count});
    Slot both[2];
    for (int end : {0, 1}) both[end] = lift(tape_.load(ends + 4 * static_cast<uint64_t>(end)));
    bool taken[2] = {false, false};
    std::vector<std::pair<Slot, uint32_t>> flags;
    for (uint32_t other = index; other < compiler_.state.files.size(); other++) {
      const OpenFile& end = compiler_.state.files[other];
      if (end.kind != file.kind || end.object != file.object) continue;
      int which = end.writeEnd ? 1 : 0;
      if (taken[which]) throw Error("unsupported-state", "a pipe that was opened more than once; not supported");
      taken[which] = true;
      compiler_.files[other] = both[which];
      refill(end, both[1 - which]);
      flags.push_back({both[which], end.flags & kStatusFlags});
    }
    // When all is refilled: until then an end may be in another mode.
    for (auto [slot, value] : flags) tape_.call("set the flags of a descriptor", SYS_fcntl, {slot, F_SETFL, value});
    for (int end : {0, 1})
      if (!taken[end]) close(both[end]);
  }

  // A pipe in packet mode keeps what is written at once together.
  void refill(const OpenFile& end, Slot peer) {
    if (!end.contents.empty()) tape_.callExact("refill a pipe", SYS_write, {peer, bytes(end.contents), end.contents.size()}, end.contents.size());
    if (!end.messages.empty()) tape_.call("set the mode of a pipe", SYS_fcntl, {peer, F_SETFL, O_DIRECT});
    for (const QueuedMessage& packet : end.messages)
      tape_.callExact("refill a pipe", SYS_write, {peer, bytes(packet.bytes), packet.bytes.size()}, packet.bytes.size());
  }

  Slot openEvent(const OpenFile& file) {
    uint32_t small = file.count <= UINT32_MAX ? static_cast<uint32_t>(file.count) : 0;
    Slot slot = lift(tape_.call("make an eventfd", SYS_eventfd2, {small, (file.flags & O_NONBLOCK) | (file.timerFlags ? 1u : 0u)}, true));
    if (file.count > UINT32_MAX) tape_.call("fill an eventfd", SYS_write, {slot, compiler_.region.add(&file.count, 8), 8});
    return slot;
  }

  Slot openTimer(const OpenFile& file) {
    Slot slot = lift(tape_.call("make a timerfd", SYS_timerfd_create, {file.clock, file.flags & O_NONBLOCK}, true));
    // A clone may be made long before it runs: see compileTimers.
    if (compiler_.purpose == Purpose::Restore) armTimerDescriptor(compiler_.region, tape_, file, slot);
    return slot;
  }

  Slot openMemfd(const OpenFile& file) {
    // Another open file description of the same object: its position and access mode are its own. Low numbers are free here.
    tape_.call("share memory", SYS_dup3, {compiler_.sharedMemory[file.object], 0, O_CLOEXEC});
    uint32_t flags = (file.flags & (O_ACCMODE | kStatusFlags)) | O_CLOEXEC;
    Slot slot = lift(tape_.call("open shared memory", SYS_openat, {compiler_.proc, text("self/fd/0"), flags, 0}, true));
    tape_.call("close a descriptor", SYS_close, {0});
    if (file.position) tape_.call("seek in shared memory", SYS_lseek, {slot, file.position, SEEK_SET});
    return slot;
  }

  SocketOpener sockets_;
};

// Watches are kept by descriptor number: added by a process that has both the set and the watched file under their numbers.
void fillEpollSets(Compiler& compiler, Tape& tape, const Process& process) {
  for (const Descriptor& descriptor : process.descriptors) {
    const OpenFile& file = compiler.state.files[descriptor.file];
    if (kindOf(file) != FileKind::Epoll || compiler.epollDone[descriptor.file]) continue;
    compiler.epollDone[descriptor.file] = true;
    for (const EpollWatch& watch : file.watches) {
      if (kindOf(compiler.state.files[watch.target]) == FileKind::Pidfd) continue;  // compileLate
      struct __attribute__((packed)) { uint32_t events; uint64_t data; } event{watch.events, watch.userData};
      uint64_t address = compiler.region.add(&event, sizeof event);
      bool there = std::any_of(process.descriptors.begin(), process.descriptors.end(), [&](const Descriptor& d) { return d.fd == watch.fd && d.file == watch.target; });
      // The number was closed or given to another file while the set went on watching: lend it for a moment.
      if (!there) tape.call("lend a descriptor", SYS_dup3, {compiler.files[watch.target], watch.fd, O_CLOEXEC});
      tape.call("watch a descriptor", SYS_epoll_ctl, {descriptor.fd, EPOLL_CTL_ADD, watch.fd, address});
      if (there) continue;
      auto owner = std::find_if(process.descriptors.begin(), process.descriptors.end(), [&](const Descriptor& d) { return d.fd == watch.fd; });
      if (owner == process.descriptors.end()) tape.call("take a descriptor back", SYS_close, {watch.fd});
      else tape.call("take a descriptor back", SYS_dup3, {compiler.files[owner->file], watch.fd, owner->closeOnExec ? O_CLOEXEC : 0});
    }
  }
}

}  // namespace

void compileOpenFiles(Compiler& compiler, Tape& tape) {
  compileGhosts(compiler, tape);
  FileOpener(compiler, tape).openAll();
  compileGhostRemovals(compiler, tape);
  compileQueueRemovals(compiler, tape);
  compileWatches(compiler, tape);
  tape.mark(MARK_FILES);
}

void compileDescriptors(Compiler& compiler, Tape& tape, const Process& process) {
  for (const Descriptor& descriptor : process.descriptors)
    if (kindOf(compiler.state.files[descriptor.file]) != FileKind::Pidfd) tape.call("number a descriptor", SYS_dup3, {compiler.files[descriptor.file], descriptor.fd, descriptor.closeOnExec ? O_CLOEXEC : 0});
  fillEpollSets(compiler, tape, process);
  tape.call("close the restorer's descriptors", SYS_close_range, {compiler.highFd, ~0u, 0});
  // Not before: closing any descriptor of a file gives up the process's locks on it.
  for (const RecordLock& lock : process.locks) {
    struct flock range{};
    range.l_type = static_cast<short>(lock.type);
    range.l_whence = SEEK_SET;
    range.l_start = lock.start;
    range.l_len = lock.length;
    tape.call("lock a part of a file", SYS_fcntl, {lock.fd, lock.ofd ? F_OFD_SETLK : F_SETLK, compiler.region.add(&range, sizeof range)});
  }
}

}  // namespace appshot
