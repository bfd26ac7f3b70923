#include "core/restore/compile.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <csignal>
#include <map>

#include "core/restore/lazy_memory.h"
#include "core/sys/error.h"

namespace appshot {

namespace {

// Address space set aside for the region; far more than any image needs.
constexpr uint64_t kRegionBytes = 1ull << 36;

// A range that no process of the image uses, away from where the kernel puts the nursery's own few pages.
uint64_t chooseBase(const State& state) {
  for (uint64_t base = 0x100000000000; base < 0x500000000000; base += 0x010000000000) {
    bool free = std::all_of(state.processes.begin(), state.processes.end(), [&](const Process& process) {
      return std::none_of(process.vmas.begin(), process.vmas.end(),
                          [&](const Vma& vma) { return vma.start < base + kRegionBytes && vma.end > base; });
    });
    if (free) return base;
  }
  throw Error("unsupported-state", "the program leaves no address space for the restorer");
}

class ImageCompiler {
 public:
  ImageCompiler(const State& state, Purpose purpose, PageSpace space, const std::vector<TouchedPage>& workingSet, Compiled& compiled,
                WakeOptions wake)
      : state_(state), compiler_{.state = state, .purpose = purpose, .region = compiled.region, .highFd = 32, .regionBytes = kRegionBytes,
                                 .space = space, .workingSet = workingSet, .fills = compiled.fills, .tasks = compiled.tasks, .wake = wake} {
    compiler_.alive = static_cast<uint32_t>(std::count_if(state.processes.begin(), state.processes.end(), [](const Process& process) { return !process.zombie; }));
    for (const Process& process : state.processes)
      if ((purpose == Purpose::Zygote || wake.tellVariables) && !process.zombie && process.configurator) compiler_.configured++;
    for (const Process& process : state.processes)
      for (const Descriptor& descriptor : process.descriptors) compiler_.highFd = std::max(compiler_.highFd, descriptor.fd + 1);
  }

  void compile() {
    const Process& root = state_.processes.front();
    Region& region = compiler_.region;
    Tape tape(region);
    if (compiler_.purpose == Purpose::Zygote) {
      moveDescriptors(tape, true);
      compileMemory(compiler_, tape, root, false);
      for (const Process& other : state_.processes)
        if (&other != &root && !other.zombie) compileParkedMemory(compiler_, tape, other);
      tape.op(OP_BARRIER, "be ready", {3, 1, 1});
      tape.op(OP_SERVE, "serve", {socket_, region.reserve(APPSHOT_SERVER, 64)});
      tape.call("close the zygote's socket", SYS_close, {socket_});
      tape.call("close the zygote's pages", SYS_close, {compiler_.pages});
      tape.call("close the zygote's base", SYS_close, {compiler_.base});
      tape.call("close the zygote's /proc", SYS_close, {compiler_.proc});
    }
    moveDescriptors(tape, false);
    if (root.sid == root.pid) tape.call("start a session", SYS_setsid, {});
    compileIpc(compiler_, tape);
    compileOpenFiles(compiler_, tape);
    body(tape, root, compiler_.purpose == Purpose::Zygote);
    region.header().mainTape = tape.finish();
    region.header().rootPid = root.pid;
  }

 private:
  // The descriptors that came with the command go above those of the programs; everything else is closed.
  void moveDescriptors(Tape& tape, bool zygote) {
    compiler_.pages = tape.call("move a descriptor", SYS_fcntl, {Slot{FD_PAGES}, F_DUPFD_CLOEXEC, compiler_.highFd}, true);
    compiler_.base = tape.call("move a descriptor", SYS_fcntl, {Slot{FD_BASE}, F_DUPFD_CLOEXEC, compiler_.highFd}, true);
    compiler_.proc = tape.call("move a descriptor", SYS_fcntl, {Slot{FD_PROC}, F_DUPFD_CLOEXEC, compiler_.highFd}, true);
    if (compiler_.purpose == Purpose::Restore) {
      compiler_.fillSocket = tape.call("move a descriptor", SYS_fcntl, {Slot{FD_EXTRA}, F_DUPFD_CLOEXEC, compiler_.highFd}, true);
      compiler_.duplicates = tape.call("move a descriptor", SYS_fcntl, {Slot{FD_DUPLICATES}, F_DUPFD_CLOEXEC, compiler_.highFd}, true);
    }
    if (compiler_.purpose == Purpose::Zygote && !zygote)
      compiler_.prefault = tape.call("move a descriptor", SYS_fcntl, {Slot{FD_EXTRA}, F_DUPFD_CLOEXEC, compiler_.highFd}, true);
    if (zygote) socket_ = tape.call("move a descriptor", SYS_fcntl, {Slot{FD_EXTRA}, F_DUPFD_CLOEXEC, compiler_.highFd}, true);
    tape.call("close the command's descriptors", SYS_close_range, {0, compiler_.highFd - 1, 0});
  }

  // Children of the pod's init besides the root: made by a process between, which ends at once. For daemons, whose session's
  // leader has ended, that process is the leader.
  void orphans(Tape& tape) {
    const Process& root = state_.processes.front();
    std::map<int32_t, std::vector<const Process*>> bySession;
    for (const Process& orphan : state_.processes)
      if (orphan.ppid == 1 && &orphan != &root) bySession[orphan.sid == orphan.pid ? root.sid : orphan.sid].push_back(&orphan);
    if (bySession.empty()) return;
    for (const auto& [session, members] : bySession) {
      bool leads = session != root.sid;
      int32_t between = leads ? session : compiler_.unusedPid();
      Tape parent(compiler_.region);
      if (leads) parent.call("start a session", SYS_setsid, {});
      for (const Process* orphan : members) {
        Tape own(compiler_.region);
        if (orphan->sid == orphan->pid) own.call("start a session", SYS_setsid, {});
        body(own, *orphan, false);
        parent.op(OP_FORK, "fork a process", {orphan->pid, own.finish()});
      }
      parent.call("end", SYS_exit_group, {0});
      tape.op(OP_FORK, "fork a process between", {between, parent.finish()});
      tape.call("wait for the process between", SYS_wait4, {between, 0, 0x40000000 /* __WALL */, 0});
    }
    // Its end is nobody's business.
    compileForgetChild(compiler_, tape);
  }

  void body(Tape& tape, const Process& process, bool hasMemory) {
    if (&process == &state_.processes.front()) orphans(tape);
    for (const Process& child : state_.processes) {
      if (child.ppid != process.pid) continue;
      if (child.zombie) {
        tape.op(OP_FORK, "fork a process that has ended", {child.pid, ending(child)});
        continue;
      }
      if (child.sid != process.sid && child.sid != child.pid)
        throw Error("unsupported-state", "process " + std::to_string(child.pid) + " is in a session that its parent has left; not supported");
      Tape own(compiler_.region);
      if (child.sid == child.pid) own.call("start a session", SYS_setsid, {});
      body(own, child, false);
      tape.op(OP_FORK, "fork a process", {child.pid, own.finish()});
    }
    if (hasMemory) compileSharedMemory(compiler_, tape, process);
    else compileMemory(compiler_, tape, process, true);
    compileUnpark(compiler_, tape);
    if (compiler_.purpose == Purpose::Zygote) tape.op(OP_PREFAULT, "make memory present", {compiler_.prefault, &process - state_.processes.data()});
    compileDescriptors(compiler_, tape, process);
    compileForkAdvice(compiler_, tape, process);
    // Groups are joined when every process is there.
    tape.op(OP_BARRIER, "wait for all processes", {0, compiler_.alive, 0});
    if (process.pgid == process.pid && process.sid != process.pid) tape.call("start a process group", SYS_setpgid, {0, 0});
    tape.op(OP_BARRIER, "wait for all groups", {2, compiler_.alive, 0});
    if (process.ppid == 1) compileIpcRemovals(compiler_, tape);
    if (process.pgid != process.pid && process.pgid != process.sid) tape.call("join a process group", SYS_setpgid, {0, process.pgid});
    compileLate(compiler_, tape, process);
    compileProcessState(compiler_, tape, process);
    compileLimits(compiler_, tape, process);
    compileThreads(compiler_, tape, process);
  }

  // Ends at once, with the status that its parent has not asked for yet.
  uint64_t ending(const Process& zombie) {
    Tape tape(compiler_.region);
    int signal = zombie.exitStatus & 0x7f;
    if (signal) {
      uint64_t none = 0;
      tape.call("let the last signal in", SYS_rt_sigprocmask, {2 /* SIG_SETMASK */, compiler_.region.add(&none, sizeof none), 0, 8});
      tape.call("end by a signal", SYS_kill, {zombie.pid, signal});
    }
    tape.call("end", SYS_exit_group, {zombie.exitStatus >> 8 & 0xff});
    return tape.finish();
  }

  const State& state_;
  Compiler compiler_;
  Slot socket_{};
};

}  // namespace

std::unique_ptr<Compiled> compileImage(const State& state, Purpose purpose, PageSpace space, const std::vector<TouchedPage>& workingSet,
                                       WakeOptions wake) {
  size_t threads = 0;
  for (const Process& process : state.processes) threads += process.threads.size();
  auto compiled = std::make_unique<Compiled>(Compiled{Region(chooseBase(state), threads), static_cast<uint32_t>(threads), {}});
  ImageCompiler(state, purpose, space, workingSet, *compiled, wake).compile();
  if (compiled->region.size() > kPagesOffset) throw Error("unsupported-state", "the image's tape is too large");
  return compiled;
}

}  // namespace appshot
