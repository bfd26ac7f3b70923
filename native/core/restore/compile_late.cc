// What can be made only when all processes are there and have their descriptors under their own numbers.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/syscall.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "core/restore/compile.h"

namespace appshot {

namespace {

FileKind kindOf(const OpenFile& file) { return static_cast<FileKind>(file.kind); }

class LateFiles {
 public:
  LateFiles(Compiler& compiler, Tape& tape, const Process& process) : compiler_(compiler), tape_(tape), process_(process) {
    for (const Descriptor& descriptor : process.descriptors)
      if (kindOf(fileOf(descriptor)) != FileKind::Pidfd) taken_.insert(descriptor.fd);
  }

  void openPidfds() {
    std::map<uint32_t, int> opened;
    for (const Descriptor& descriptor : process_.descriptors) {
      if (kindOf(fileOf(descriptor)) != FileKind::Pidfd) continue;
      auto [at, isNew] = opened.try_emplace(descriptor.file, descriptor.fd);
      if (isNew) openPidfd(fileOf(descriptor), descriptor.fd);
      else tape_.call("number a pidfd", SYS_dup3, {at->second, descriptor.fd, O_CLOEXEC});
      tape_.call("set the flags of a pidfd", SYS_fcntl, {descriptor.fd, F_SETFD, descriptor.closeOnExec ? FD_CLOEXEC : 0});
      taken_.insert(descriptor.fd);
    }
  }

  void watchPidfds() {
    for (const Descriptor& set : process_.descriptors) {
      const OpenFile& file = fileOf(set);
      if (kindOf(file) != FileKind::Epoll || compiler_.lateDone.count(set.file)) continue;
      for (const EpollWatch& watch : file.watches) {
        bool mine = std::any_of(process_.descriptors.begin(), process_.descriptors.end(), [&](const Descriptor& d) { return d.fd == watch.fd && d.file == watch.target; });
        if (kindOf(compiler_.state.files[watch.target]) != FileKind::Pidfd || !mine) continue;
        struct __attribute__((packed)) { uint32_t events; uint64_t data; } event{watch.events, watch.userData};
        tape_.call("watch a pidfd", SYS_epoll_ctl, {set.fd, EPOLL_CTL_ADD, watch.fd, compiler_.region.add(&event, sizeof event)});
        compiler_.lateDone.insert(set.file);
      }
    }
  }

  // Events of what the restore itself has done.
  void drainWatches() {
    for (const Descriptor& descriptor : process_.descriptors)
      if (kindOf(fileOf(descriptor)) == FileKind::Inotify) tape_.op(OP_DRAIN, "forget events", {descriptor.fd});
  }

  void lease() {
    for (const Descriptor& descriptor : process_.descriptors)
      if (fileOf(descriptor).leaseType >= 0 && compiler_.leasesDone.insert(descriptor.file).second)
        tape_.call("take a lease", SYS_fcntl, {descriptor.fd, F_SETLEASE, fileOf(descriptor).leaseType});
  }

 private:
  const OpenFile& fileOf(const Descriptor& descriptor) const { return compiler_.state.files[descriptor.file]; }

  // The kernel gives the lowest free number, which is known here.
  void openPidfd(const OpenFile& file, int fd) {
    int lowest = 0;
    while (taken_.count(lowest)) lowest++;
    bool gone = file.ownerPid <= 0;
    int32_t pid = gone ? compiler_.unusedPid() : file.ownerPid;
    if (gone) {
      Tape ending(compiler_.region);
      ending.call("end", SYS_exit_group, {0});
      tape_.op(OP_FORK, "fork a process that is gone", {pid, ending.finish(), SIGCHLD});
    }
    tape_.callExact("open a pidfd", SYS_pidfd_open, {pid, file.flags & (O_NONBLOCK | O_EXCL)}, static_cast<uint64_t>(lowest));
    if (gone) tape_.call("wait for a process that is gone", SYS_wait4, {pid, 0, 0x40000000 /* __WALL */, 0});
    if (gone) compileForgetChild(compiler_, tape_, SIGCHLD);
    if (lowest == fd) return;
    tape_.call("number a pidfd", SYS_dup3, {lowest, fd, O_CLOEXEC});
    tape_.call("close a descriptor", SYS_close, {lowest});
  }

  Compiler& compiler_;
  Tape& tape_;
  const Process& process_;
  std::set<int> taken_;
};

// A seal against future writing lets the mappings be that were made before, so it comes when all have mapped. Another process may
// have been first; the seal may forbid further ones.
void sealLate(Compiler& compiler, Tape& tape, const Process& process) {
  auto seal = [&](const std::string& path, uint32_t object) {
    uint32_t seals = compiler.state.sharedMemory[object].seals;
    if (!(seals & F_SEAL_FUTURE_WRITE)) return;
    Slot slot = tape.call("open sealed memory", SYS_openat, {AT_FDCWD, compiler.region.add(path), O_RDWR | O_CLOEXEC, 0}, true);
    tape.attempt("seal shared memory", SYS_fcntl, {slot, F_ADD_SEALS, seals});
    tape.call("close sealed memory", SYS_close, {slot});
  };
  for (const Vma& vma : process.vmas) {
    if (static_cast<VmaKind>(vma.kind) != VmaKind::Shared) continue;
    char range[40];
    std::snprintf(range, sizeof range, "%lx-%lx", vma.start, vma.end);
    seal(std::string("/proc/self/map_files/") + range, vma.object);
  }
  for (const Descriptor& descriptor : process.descriptors) {
    const OpenFile& file = compiler.state.files[descriptor.file];
    if (kindOf(file) == FileKind::Memfd) seal("/proc/self/fd/" + std::to_string(descriptor.fd), file.object);
  }
}

// One call that changes the adjustment and leaves the value: by the process itself, since the list is its own.
void keepUndos(Compiler& compiler, Tape& tape, const Process& process) {
  for (const SemaphoreUndo& undo : process.undos) {
    auto number = static_cast<unsigned short>(undo.number);
    auto change = static_cast<short>(std::abs(undo.adjustment));
    bool taken = undo.adjustment > 0;
    // The value is raised first: it must not fall below zero between the two.
    sembuf operations[2] = {{number, change, static_cast<short>(IPC_NOWAIT | (taken ? 0 : SEM_UNDO))},
                            {number, static_cast<short>(-change), static_cast<short>(IPC_NOWAIT | (taken ? SEM_UNDO : 0))}};
    tape.call("note what is to be undone to a semaphore", SYS_semop, {undo.id, compiler.region.add(operations, sizeof operations), 2});
  }
}

}  // namespace

int32_t Compiler::unusedPid() {
  auto isUsed = [this](int32_t pid) {
    return std::any_of(state.processes.begin(), state.processes.end(), [pid](const Process& process) {
      return process.pid == pid || process.pgid == pid || process.sid == pid ||
             std::any_of(process.threads.begin(), process.threads.end(), [pid](const Thread& thread) { return thread.tid == pid; });
    });
  };
  do lastBetween++;
  while (isUsed(lastBetween));
  return lastBetween;
}

void compileForgetChild(Compiler& compiler, Tape& tape, int signal) {
  uint64_t childSignal = 1ull << (signal - 1), now[2] = {0, 0};
  tape.attempt("forget a process that has ended", SYS_rt_sigtimedwait, {compiler.region.add(&childSignal, 8), 0, compiler.region.add(now, sizeof now), 8});
}

void compileLate(Compiler& compiler, Tape& tape, const Process& process) {
  LateFiles files(compiler, tape, process);
  files.openPidfds();
  files.watchPidfds();
  files.drainWatches();
  files.lease();
  sealLate(compiler, tape, process);
  keepUndos(compiler, tape, process);
}

void compileOwners(Compiler& compiler, Tape& tape, const Process& process) {
  for (const Descriptor& descriptor : process.descriptors) {
    const OpenFile& file = compiler.state.files[descriptor.file];
    bool hasOwner = file.ownerType >= 0 && kindOf(file) != FileKind::Pidfd;
    if (!hasOwner && !(file.flags & O_ASYNC) && file.ownerSignal <= 0) continue;
    if (!compiler.ownersDone.insert(descriptor.file).second) continue;
    struct f_owner_ex owner{static_cast<__pid_type>(file.ownerType), file.ownerPid};
    // Whose signal it is, is noted with the owner.
    if (hasOwner)
      asApplication(compiler, tape, [&] { tape.attempt("set who gets SIGIO", SYS_fcntl, {descriptor.fd, F_SETOWN_EX, compiler.region.add(&owner, sizeof owner)}); });
    if (file.ownerSignal > 0) tape.call("set the signal of a descriptor", SYS_fcntl, {descriptor.fd, F_SETSIG, file.ownerSignal});
    if (file.flags & O_ASYNC) tape.call("set the flags of a descriptor", SYS_fcntl, {descriptor.fd, F_SETFL, file.flags & ~static_cast<uint32_t>(O_ACCMODE)});
  }
}

}  // namespace appshot
