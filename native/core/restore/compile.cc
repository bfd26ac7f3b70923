#include "core/restore/compile.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <optional>

#include "core/restore/births.h"
#include "core/restore/lazy_memory.h"
#include "core/restore/standing.h"
#include "core/restore/waiting.h"
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
      : state_(state), plan_(planBirths(state)), compiler_{.state = state, .purpose = purpose, .region = compiled.region, .highFd = 32, .regionBytes = kRegionBytes,
                                 .space = space, .workingSet = workingSet, .fills = compiled.fills, .tasks = compiled.tasks, .wake = wake} {
    for (const Process& process : state.processes) {
      bool runs = !process.zombie && process.stopSignal == 0;
      if (runs) compiler_.running++;
      if (process.stopSignal != 0) compiler_.standing += static_cast<uint32_t>(process.threads.size());
      else if (hasStandingChild(state, process)) compiler_.standing++;
    }
    for (const Process& process : state.processes)
      if ((purpose == Purpose::Zygote || wake.tellVariables) && !process.zombie && process.configurator) compiler_.configured++;
    meeting_ = static_cast<size_t>(std::count_if(plan_.births.begin(), plan_.births.end(), [](const Birth& birth) { return birth.end != BirthEnd::AtOnce; }));
    for (const Process& process : state.processes)
      for (const Descriptor& descriptor : process.descriptors) compiler_.highFd = std::max(compiler_.highFd, descriptor.fd + 1);
  }

  void compile() {
    const Process& root = state_.processes.front();
    Region& region = compiler_.region;
    Tape tape(region);
    if (compiler_.purpose == Purpose::Zygote) {
      moveDescriptors(tape, true);
      finishMemory(compiler_, tape, root, false, beginMemory(compiler_, tape, root, false));
      for (const Process& other : state_.processes)
        if (&other != &root && !other.zombie) compileParkedMemory(compiler_, tape, other);
      compileFrames(compiler_, tape, root);
      tape.op(OP_BARRIER, "be ready", {3, 1, 1});
      tape.op(OP_SERVE, "serve", {socket_, region.reserve(APPSHOT_SERVER, 64)});
      tape.call("close the zygote's socket", SYS_close, {socket_});
      tape.call("close the zygote's pages", SYS_close, {compiler_.pages});
      tape.call("close the zygote's base", SYS_close, {compiler_.base});
      tape.call("close the zygote's /proc", SYS_close, {compiler_.proc});
    }
    moveDescriptors(tape, false);
    // Children would be forked with this memory: it is theirs to begin after them.
    if (compiler_.purpose == Purpose::Restore && plan_.births.size() == 1) begun_ = beginMemory(compiler_, tape, root, true);
    if (compiler_.purpose == Purpose::Restore) enterFiles(tape);
    compileIpc(compiler_, tape);
    compileOpenFiles(compiler_, tape);
    if (compiler_.purpose == Purpose::Restore) tape.op(OP_TELL, "tell that files are open", {compiler_.region.header().status + offsetof(Status, opened)});
    const Birth& first = plan_.births[plan_.first];
    if (plan_.first == plan_.root) {
      body(tape, plan_.root, compiler_.purpose == Purpose::Zygote);
    } else {
      tape.call("start a session", SYS_setsid, {});
      Tape own(region);
      // Its maker ends at once, and leaves it to the pod's init.
      own.until("wait for the process between", SYS_getppid, 1);
      body(own, plan_.root, compiler_.purpose == Purpose::Zygote);
      tape.op(OP_FORK, "fork the first process", {root.pid, own.finish(), SIGCHLD});
      tape.call("end", SYS_exit_group, {0});
    }
    region.header().mainTape = tape.finish();
    region.header().rootPid = first.pid;
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
      pod_ = tape.call("move a descriptor", SYS_fcntl, {Slot{FD_POD}, F_DUPFD_CLOEXEC, compiler_.highFd}, true);
    }
    if (compiler_.purpose == Purpose::Zygote && !zygote)
      compiler_.prefault = tape.call("move a descriptor", SYS_fcntl, {Slot{FD_EXTRA}, F_DUPFD_CLOEXEC, compiler_.highFd}, true);
    if (zygote) socket_ = tape.call("move a descriptor", SYS_fcntl, {Slot{FD_EXTRA}, F_DUPFD_CLOEXEC, compiler_.highFd}, true);
    tape.call("close the command's descriptors", SYS_close_range, {0, compiler_.highFd - 1, 0});
  }

  // The pod's file view is made meanwhile; who was there before it was stands outside of it.
  void enterFiles(Tape& tape) {
    tape.op(OP_AWAIT, "wait for the instance's files", {compiler_.region.header().status + offsetof(Status, furnished), 1});
    tape.call("enter the instance's files", SYS_setns, {pod_, CLONE_NEWNS});
    tape.call("close the pod", SYS_close, {pod_});
  }

  void fork(Tape& tape, size_t number) {
    const Birth& birth = plan_.births[number];
    Tape own(compiler_.region);
    if (birth.end == BirthEnd::Lives) body(own, number, false);
    else passing(own, number);
    if (birth.awaits >= 0) tape.op(OP_AWAIT, "wait for a subreaper", {adoptsCounter(birth.awaits), 1});
    tape.op(OP_FORK, "fork a process", {birth.pid, own.finish(), birth.process ? birth.process->exitSignal : SIGCHLD});
    if (birth.end == BirthEnd::AtOnce) collect(tape, birth);
    for (size_t past : birth.passes) tape.op(OP_TELL, "let orphans past", {passingCounter(past)});
  }

  void children(Tape& tape, size_t number) {
    const Birth& birth = plan_.births[number];
    if (birth.adopts && birth.passing == 0) becomeSubreaper(tape);
    for (size_t child : birth.before) fork(tape, child);
    if (birth.leadsSession) tape.call("start a session", SYS_setsid, {});
    for (size_t child : birth.after) fork(tape, child);
    for (size_t child : birth.late) fork(tape, child);
    if (birth.adopts && birth.passing > 0) {
      tape.op(OP_AWAIT, "wait for orphans to come past", {passingCounter(number), birth.passing});
      becomeSubreaper(tape);
      tape.op(OP_TELL, "be a subreaper", {adoptsCounter(number)});
    }
    for (size_t child : birth.adopted) fork(tape, child);
  }

  static void becomeSubreaper(Tape& tape) { tape.call("become a subreaper", SYS_prctl, {PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0}); }

  // Two counters of each process that becomes a subreaper late: their addresses.
  uint64_t counterOf(size_t number, size_t which) {
    size_t counter = lateOnes_.try_emplace(number, lateOnes_.size() * 2).first->second;
    if (counter + 2 > APPSHOT_COUNTERS) throw Error("unsupported-state", "too many processes became subreapers late; not supported");
    return compiler_.region.header().status + offsetof(Status, counters) + (counter + which) * sizeof(uint32_t);
  }
  uint64_t passingCounter(size_t number) { return counterOf(number, 0); }
  uint64_t adoptsCounter(size_t number) { return counterOf(number, 1); }

  // Groups are joined when every process is there.
  void meet(Tape& tape, const Birth& birth) {
    tape.op(OP_BARRIER, "wait for all processes", {0, meeting_, 0});
    if (birth.leadsGroup) tape.call("start a process group", SYS_setpgid, {0, 0});
    tape.op(OP_BARRIER, "wait for all groups", {2, meeting_, 0});
    bool joins = birth.process && birth.process->pgid > 0 && birth.process->pgid != birth.pid && birth.process->pgid != birth.process->sid;
    if (joins) tape.call("join a process group", SYS_setpgid, {0, birth.process->pgid});
    if (plan_.gathersGroups()) tape.op(OP_BARRIER, "wait for all to join", {4, meeting_, 0});
  }

  // Its end is nobody's business.
  void collect(Tape& tape, const Birth& birth) {
    tape.call("wait for a process between", SYS_wait4, {birth.pid, 0, 0x40000000 /* __WALL */, 0});
    compileForgetChild(compiler_, tape, SIGCHLD);
  }

  // Those that ended before the snapshot have ended again when the programs run, and are left as they are.
  void collectEnded(Tape& tape, const Birth& birth) {
    for (const std::vector<size_t>* made : {&birth.before, &birth.after, &birth.late, &birth.adopted})
      for (size_t number : *made) {
        const Birth& child = plan_.births[number];
        if (child.end == BirthEnd::AfterGroups) collect(tape, child);
        if (child.end != BirthEnd::Zombie) continue;
        tape.call("wait for a process that has ended", SYS_waitid, {P_PID, child.pid, 0, WEXITED | WNOWAIT | 0x40000000 /* __WALL */, 0});
        if (child.process->exitSignal > 0) compileForgetChild(compiler_, tape, child.process->exitSignal);
      }
  }

  // A process that ends before the programs run.
  void passing(Tape& tape, size_t number) {
    const Birth& birth = plan_.births[number];
    children(tape, number);
    if (birth.process) tape.call("set the thread's name", SYS_prctl, {PR_SET_NAME, compiler_.region.add(birth.process->comm), 0, 0, 0});
    if (birth.end != BirthEnd::AtOnce) meet(tape, birth);
    int32_t status = birth.process ? birth.process->exitStatus : 0;
    if (int signal = status & 0x7f) {
      uint64_t none = 0;
      tape.call("let the last signal in", SYS_rt_sigprocmask, {2 /* SIG_SETMASK */, compiler_.region.add(&none, sizeof none), 0, 8});
      tape.call("end by a signal", SYS_kill, {birth.pid, signal});
    }
    tape.call("end", SYS_exit_group, {status >> 8 & 0xff});
  }

  void body(Tape& tape, size_t number, bool hasMemory) {
    const Birth& birth = plan_.births[number];
    const Process& process = *birth.process;
    children(tape, number);
    if (hasMemory) compileSharedMemory(compiler_, tape, process);
    else finishMemory(compiler_, tape, process, true, begun_ ? *begun_ : beginMemory(compiler_, tape, process, true));
    compileUnpark(compiler_, tape);
    if (compiler_.purpose == Purpose::Zygote) tape.op(OP_PREFAULT, "make memory present", {compiler_.prefault, &process - state_.processes.data()});
    compileDescriptors(compiler_, tape, process);
    compileForkAdvice(compiler_, tape, process);
    meet(tape, birth);
    collectEnded(tape, birth);
    if (&process == &state_.processes.front()) compileIpcRemovals(compiler_, tape);
    compileLate(compiler_, tape, process);
    compileProcessState(compiler_, tape, process);
    compileLimits(compiler_, tape, process);
    compileThreads(compiler_, tape, process);
  }

  const State& state_;
  BirthPlan plan_;
  Compiler compiler_;
  Slot socket_{}, pod_{};
  std::optional<MemoryBegun> begun_;
  std::map<size_t, size_t> lateOnes_;
  size_t meeting_ = 0;  // processes that come to the barriers before the threads are made
};

}  // namespace

std::unique_ptr<Compiled> compileImage(const State& state, Purpose purpose, PageSpace space, const std::vector<TouchedPage>& workingSet,
                                       WakeOptions wake) {
  size_t threads = 0, meeting = 0;
  for (const Process& process : state.processes) {
    threads += process.threads.size();
    if (process.stopSignal == 0) meeting += process.threads.size();
    if (purpose == Purpose::Restore) meeting -= countGoingAhead(state, process);
  }
  auto compiled = std::make_unique<Compiled>(Compiled{Region(chooseBase(state), threads), static_cast<uint32_t>(meeting), {}});
  ImageCompiler(state, purpose, space, workingSet, *compiled, wake).compile();
  compiled->region.placeSlots();
  if (compiled->region.size() > kPagesOffset) throw Error("unsupported-state", "the image's tape is too large");
  return compiled;
}

}  // namespace appshot
