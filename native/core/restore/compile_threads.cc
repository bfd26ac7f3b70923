#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstring>

#include "configurator/configurator_page.h"
#include "core/restore/compile.h"
#include "core/restore/standing.h"
#include "core/restore/waiting.h"

namespace appshot {

namespace {

constexpr int kArchSetFs = 0x1002, kArchSetGs = 0x1001;
constexpr int kSetMdwe = 65;  // PR_SET_MDWE (6.3)

// What every thread has for itself and can be set with privileges.
void setThreadState(Compiler& compiler, Tape& tape, const Thread& thread) {
  user_regs_struct registers;
  std::memcpy(&registers, thread.registers.data(), sizeof registers);
  Region& region = compiler.region;
  tape.call("set the thread's name", SYS_prctl, {PR_SET_NAME, region.add(thread.comm), 0, 0, 0});
  tape.call("set the thread pointer", SYS_arch_prctl, {kArchSetFs, registers.fs_base});
  if (registers.gs_base) tape.call("set the GS base", SYS_arch_prctl, {kArchSetGs, registers.gs_base});
  tape.attempt("set the address to clear at exit", SYS_set_tid_address, {thread.tidAddress});
  if (thread.robustList) tape.call("set the robust list", SYS_set_robust_list, {thread.robustList, thread.robustListSize});
  if (thread.rseqAddress) tape.call("register restartable sequences", SYS_rseq, {thread.rseqAddress, thread.rseqSize, thread.rseqFlags, thread.rseqSignature});
  if (thread.timerSlackNs && thread.timerSlackNs != 50'000) tape.attempt("set the timer slack", SYS_prctl, {PR_SET_TIMERSLACK, thread.timerSlackNs, 0, 0, 0});
  if (thread.nice) tape.attempt("set the nice value", SYS_setpriority, {0, 0, thread.nice});
  if (!thread.affinity.empty()) tape.attempt("set the CPUs", SYS_sched_setaffinity, {0, thread.affinity.size() * 8, region.addTable(thread.affinity)});
  if (thread.ioPriority) tape.attempt("set the I/O priority", SYS_ioprio_set, {1 /* IOPRIO_WHO_PROCESS */, 0, thread.ioPriority});
  if (thread.schedPolicy != 0) tape.attempt("set the scheduling policy", SYS_sched_setscheduler, {0, thread.schedPolicy, region.add(&thread.schedPriority, 4)});
}

// For the whole process, once: the threads that are made after it inherit them. The bounding set is empty since the nursery.
void dropBounds(Tape& tape, const Credentials& credentials) {
  if (credentials.noNewPrivs) tape.call("give up new privileges", SYS_prctl, {PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0});
  if (credentials.secureBits) tape.call("set the secure bits", SYS_prctl, {PR_SET_SECUREBITS, credentials.secureBits, 0, 0, 0});
}

void setCredentials(Compiler& compiler, Tape& tape, const Credentials& credentials) {
  tape.call("set the groups", SYS_setgroups, {credentials.groups.size(), compiler.region.addTable(credentials.groups)});
  tape.call("set the group", SYS_setresgid, {credentials.gid[0], credentials.gid[1], credentials.gid[2]});
  tape.call("set the user", SYS_setresuid, {credentials.uid[0], credentials.uid[1], credentials.uid[2]});
  struct { uint32_t version; int32_t pid; } header{0x20080522, 0};  // _LINUX_CAPABILITY_VERSION_3
  auto low = [](uint64_t set) { return static_cast<uint32_t>(set); };
  auto high = [](uint64_t set) { return static_cast<uint32_t>(set >> 32); };
  uint32_t sets[6] = {low(credentials.capEffective), low(credentials.capPermitted), low(credentials.capInheritable),
                      high(credentials.capEffective), high(credentials.capPermitted), high(credentials.capInheritable)};
  tape.call("set the capabilities", SYS_capset, {compiler.region.add(&header, sizeof header), compiler.region.add(sets, sizeof sets)});
}

void requeue(Compiler& compiler, Tape& tape, const std::vector<QueuedSignal>& queue, int32_t pid, int32_t tid) {
  for (const QueuedSignal& signal : queue) {
    int32_t number;
    std::memcpy(&number, signal.siginfo.data(), 4);
    uint64_t info = compiler.region.add(signal.siginfo.data(), signal.siginfo.size());
    if (tid) tape.attempt("queue a signal", SYS_rt_tgsigqueueinfo, {pid, tid, number, info});
    else tape.attempt("queue a signal", SYS_rt_sigqueueinfo, {pid, number, info});
  }
}

struct LeaveContext {
  Slot counter;
  size_t index;
};

// Calls the configurator on the program's stack. The last of `count` processes to have done it says that everything runs.
void configure(Compiler& compiler, Tape& tape, const Process& process, uint64_t task, uint32_t count) {
  constexpr uint64_t kRedZone = 128;
  static_assert(offsetof(ConfiguratorPage, task) == offsetof(ConfiguratorPage, confirmed) + 4);
  tape.op(OP_SET, "say what the configurator has to do", {APPSHOT_CONFIGURATOR_ADDRESS + offsetof(ConfiguratorPage, confirmed), task << 32});
  std::string frame = buildReturnFrame();
  Configure record{};
  record.entry = process.configurator;
  record.stack = (buildSignalFrame(process, process.threads.front()).target - kRedZone) & ~15ull;
  record.frame = compiler.region.add(frame.data(), frame.size(), 64);
  record.confirmed = APPSHOT_CONFIGURATOR_ADDRESS + offsetof(ConfiguratorPage, confirmed);
  record.count = count;
  tape.op(OP_CONFIGURE, "run the configurator, which sets its variables and renews its random numbers", {compiler.region.add(&record, sizeof record)});
}

// Whether random numbers can be renewed while the other threads are held: none of them is in code that may hold a lock.
bool renewsAhead(const Process& process) {
  const std::vector<Thread>& threads = process.threads;
  return process.configurator && waitedForEvents(threads.front()) && std::all_of(threads.begin(), threads.end(), wasAtRest);
}

void awaitAll(const Compiler& compiler, Tape& tape) {
  bool thenRuns = compiler.purpose == Purpose::Restore && compiler.configured == 0;
  tape.op(OP_BARRIER, "wait for all", {1, compiler.tasks, thenRuns ? 1 : 0});
}

// Where those wait that a signal had stopped, until they are stopped again, and their parents, until they have been.
void awaitStand(Compiler& compiler, Tape& tape, const Process& process) {
  bool isParent = hasStandingChild(compiler.state, process);
  if (process.stopSignal == 0 && !isParent) return;
  tape.op(OP_GATE, "wait to be stopped", {compiler.standing, process.stopSignal != 0 ? GATE_STAND : GATE_STOOD});
  if (!isParent) return;
  // What it had been told before the snapshot it is not told again.
  for (const Process& child : compiler.state.processes)
    if (child.stopSignal != 0 && child.ppid == process.pid && !child.stopUntold)
      tape.call("hear that a process stands still", SYS_waitid, {P_PID, child.pid, 0, WSTOPPED | WNOHANG | __WALL, 0});
  compileForgetChild(compiler, tape, SIGCHLD);
}

// What a clone's process does when it is wanted. The other threads run by then: one may hold a lock that the configurator needs.
void afterGate(Compiler& compiler, Tape& tape, const Process& process) {
  // Where some stand, they say that all wait: the others come here later.
  tape.op(OP_GATE, "wait to be wanted", {compiler.standing == 0 ? compiler.running : 0, GATE_GO});
  compileTimers(compiler, tape, process);
  if (compiler.configured == 0) tape.op(OP_BARRIER, "wait for all", {3, compiler.running, 1});
  else if (process.configurator) configure(compiler, tape, process, renewsAhead(process) ? CONFIGURATOR_VARIABLES : CONFIGURATOR_CLONE, compiler.configured);
}

// Whether the thread's last frame stands on its stack in the zygote already: each clone would have a page more for itself if it wrote it.
bool isInZygote(const Compiler& compiler, const Process& process, const Thread& thread, const SignalFrame& frame) {
  // A first thread writes to its stack in any case.
  if (compiler.purpose != Purpose::Zygote || &process != &compiler.state.processes.front() || &thread == &process.threads.front()) return false;
  return std::any_of(process.vmas.begin(), process.vmas.end(), [&](const Vma& vma) {
    bool isCopied = static_cast<VmaKind>(vma.kind) == VmaKind::Anonymous && (vma.prot & PROT_WRITE) && !(vma.advice & (kAdviceDontFork | kAdviceWipeOnFork));
    return isCopied && vma.start <= frame.target && frame.target + frame.bytes.size() <= vma.end;
  });
}

uint64_t unmapBytes(const Compiler& compiler) { return compiler.region.base() + compiler.regionBytes - compiler.region.unmapStart(); }

void leave(Compiler& compiler, Tape& tape, const Process& process, const Thread& thread, const LeaveContext& context) {
  Region& region = compiler.region;
  SignalFrame frame = buildSignalFrame(process, thread);
  Leave record{};
  if (!isInZygote(compiler, process, thread, frame)) {
    record.frame = region.add(frame.bytes.data(), frame.bytes.size(), 64);
    record.frameBytes = frame.bytes.size();
  }
  record.frameTarget = frame.target;
  record.stub = region.stub(context.index);
  record.stubBytes = APPSHOT_PAGE;
  record.gadget = process.gadgetSyscall;
  record.counter = static_cast<uint64_t>(context.counter.number);
  record.unmapStart = region.unmapStart();
  record.unmapBytes = unmapBytes(compiler);
  tape.op(OP_LEAVE, "leave", {region.add(&record, sizeof record)});
}

}  // namespace

// A thread other than the leader, with its own tape. `ahead`: it does not wait for the rest.
static void makeThread(Compiler& compiler, Tape& tape, const Process& process, const Thread& thread, Slot counter, bool ahead) {
  size_t index = compiler.nextThread++;
  Tape own(compiler.region);
  setThreadState(compiler, own, thread);
  setCredentials(compiler, own, thread.credentials);
  if (thread.parentDeathSignal) own.attempt("set the parent death signal", SYS_prctl, {PR_SET_PDEATHSIG, thread.parentDeathSignal, 0, 0, 0});
  requeue(compiler, own, thread.queued, process.pid, thread.tid);
  compileFilters(compiler, own, process, thread);
  if (process.stopSignal != 0) own.op(OP_GATE, "wait to be stopped", {compiler.standing, GATE_STAND});
  else if (!ahead) awaitAll(compiler, own);
  // One that only another thread of the program can wake is as good as not running.
  if (compiler.purpose == Purpose::Zygote && process.stopSignal == 0 && !waitedForThreads(thread)) own.op(OP_GATE, "wait to be wanted", {0, GATE_GO});
  leave(compiler, own, process, thread, {counter, index});
  tape.op(OP_THREAD, "make a thread", {thread.tid, own.finish(), compiler.region.threadStackTop(index)});
}

// The first thread of a process that will stand still does what else it has to do, and leaves: under the eyes of standing.h, which stops
// the process before its program runs.
static void goToStand(Compiler& compiler, Tape& tape, const Process& process, const LeaveContext& context) {
  bool isClone = compiler.purpose == Purpose::Zygote;
  if (isClone) compileTimers(compiler, tape, process);
  if (compiler.configured > 0 && process.configurator)
    configure(compiler, tape, process, isClone ? CONFIGURATOR_CLONE : CONFIGURATOR_VARIABLES, compiler.configured);
  leave(compiler, tape, process, process.threads.front(), context);
}

void compileFrames(Compiler& compiler, Tape& tape, const Process& process) {
  for (const Thread& thread : process.threads) {
    SignalFrame frame = buildSignalFrame(process, thread);
    if (!isInZygote(compiler, process, thread, frame)) continue;
    tape.op(OP_COPY, "put a thread's frame on its stack", {frame.target, compiler.region.add(frame.bytes.data(), frame.bytes.size(), 64), frame.bytes.size()});
  }
}

void compileThreads(Compiler& compiler, Tape& tape, const Process& process) {
  Region& region = compiler.region;
  const Thread& leader = process.threads.front();
  bool isClone = compiler.purpose == Purpose::Zygote;
  size_t leaderIndex = compiler.nextThread++;
  // The pages that the tasks of other processes leave from were inherited, and are nobody's here.
  uint64_t ownStart = region.stub(leaderIndex), ownEnd = region.stub(leaderIndex + process.threads.size());
  if (ownStart > region.base()) tape.call("unmap the stubs of others", SYS_munmap, {region.base(), ownStart - region.base()});
  if (region.unmapStart() > ownEnd) tape.call("unmap the stubs of others", SYS_munmap, {ownEnd, region.unmapStart() - ownEnd});
  auto count = static_cast<uint32_t>(process.threads.size());
  Slot counter = tape.load(region.add(&count, sizeof count));
  // One may run, and fork, while another is still here.
  if (count > 1) tape.attempt("keep the region from children", SYS_madvise, {ownStart, ownEnd - ownStart, MADV_DONTFORK});
  if (count > 1) tape.attempt("keep the region from children", SYS_madvise, {region.unmapStart(), unmapBytes(compiler), MADV_DONTFORK});
  dropBounds(tape, leader.credentials);
  bool someGoAhead = !isClone && threadsGoAhead(compiler.state, process);
  for (size_t i = 1; i < process.threads.size(); i++)
    makeThread(compiler, tape, process, process.threads[i], counter, someGoAhead && goesAhead(process, process.threads[i]));
  if (!isClone) compileTimers(compiler, tape, process);
  compileOwners(compiler, tape, process);
  setThreadState(compiler, tape, leader);
  tape.mark(MARK_THREADS);
  setCredentials(compiler, tape, leader.credentials);
  tape.attempt("set dumpable", SYS_prctl, {PR_SET_DUMPABLE, process.dumpable == 1 ? 1 : 0, 0, 0, 0});
  if (leader.parentDeathSignal) tape.attempt("set the parent death signal", SYS_prctl, {PR_SET_PDEATHSIG, leader.parentDeathSignal, 0, 0, 0});
  if (process.memoryDenials) tape.call("deny memory that is written and run", SYS_prctl, {kSetMdwe, process.memoryDenials, 0, 0, 0});
  awaitStand(compiler, tape, process);
  requeue(compiler, tape, process.queued, process.pid, 0);
  requeue(compiler, tape, leader.queued, process.pid, process.pid);
  compileFilters(compiler, tape, process, leader);
  if (process.stopSignal != 0) return goToStand(compiler, tape, process, {counter, leaderIndex});
  if (isClone && renewsAhead(process)) configure(compiler, tape, process, CONFIGURATOR_AHEAD, 0);
  if (!isClone) tape.op(OP_GATE, "wait to be wanted", {0, GATE_GO});
  awaitAll(compiler, tape);
  if (isClone) afterGate(compiler, tape, process);
  else if (compiler.configured > 0 && process.configurator) configure(compiler, tape, process, CONFIGURATOR_VARIABLES, compiler.configured);
  leave(compiler, tape, process, leader, {counter, leaderIndex});
}

}  // namespace appshot
