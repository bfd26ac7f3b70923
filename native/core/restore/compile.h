// From an image's state to the tape that brings it back.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <sys/syscall.h>

#include "core/fill/fill_job.h"
#include "core/image/model.h"
#include "core/restore/wake_options.h"
#include "core/restore/region.h"

namespace appshot {

enum class Purpose {
  Restore,  // the same instance comes back: everything from nothing
  Zygote,   // memory of the root process, then OP_SERVE; what follows runs in each clone
};

// Positions of pages: below `base` they are in base.bin, from there to `end` in pages.bin.
struct PageSpace {
  uint64_t base = 0, end = 0;
};

// A compiled image: the region to be mapped in the new process.
struct Compiled {
  Region region;
  uint32_t tasks = 0;  // those threads of all processes that meet at the last barrier
  std::vector<FillPlan> fills;  // memory that is filled while the programs run; one for each process that has such
};

// `workingSet`: filled first; the rest of their memory comes while the programs run. Only for Purpose::Restore.
std::unique_ptr<Compiled> compileImage(const State& state, Purpose purpose, PageSpace space, const std::vector<TouchedPage>& workingSet,
                                       WakeOptions wake = {});

// --- parts, each in a file of its own ---------------------------------------------------------------------------------

// What the parts share while one image is compiled.
struct Compiler {
  const State& state;
  Purpose purpose;
  Region& region;
  int highFd = 0;                 // descriptors from here on are the restorer's
  Slot pages{};                   // pages.bin
  Slot base{};                    // base.bin, where the image is a delta
  Slot proc{};                    // the node's /proc
  std::vector<Slot> files{};        // open file descriptions, by index
  std::vector<Slot> sharedMemory{}; // memfds of shared memory, by index
  uint64_t regionBytes = 0;       // address space set aside for the region
  PageSpace space;                // of the image
  const std::vector<TouchedPage>& workingSet;
  std::vector<FillPlan>& fills;
  Slot fillSocket{};              // where userfaultfds are sent: to the filler,
  Slot duplicates{};              // and where their duplicates wait
  Slot prefault{};                // what each clone makes present before it runs
  std::map<std::pair<int32_t, uint64_t>, uint64_t> parked{};  // process and mapping -> where its zygote holds it
  uint64_t parkedEnd = 0;         // of all of them
  uint32_t configured = 0;        // processes that run a configurator before they go on
  uint32_t running = 0;           // processes that run when all is done: neither zombies nor stopped by a signal
  uint32_t tasks = 0;             // threads of those
  uint32_t standing = 0;          // threads of processes that stand still, and processes that run and have such children
  WakeOptions wake;               // of Purpose::Restore
  size_t nextThread = 0;          // stub and stack of the next task
  std::map<uint32_t, bool> epollDone{};
  std::map<uint32_t, bool> timerDone{};
  std::vector<Slot> ghosts{};     // files without a name, by index
  std::set<uint32_t> lateDone{}, ownersDone{}, leasesDone{};  // open file descriptions that compileLate and compileOwners are done with
  int32_t lastBetween = 200;

  // A pid that nobody in the image uses, for a process that ends before the programs run.
  int32_t unusedPid();
};

// Files without a name get one while they are opened; then it is taken away. They stay open in Compiler::ghosts.
void compileGhosts(Compiler& compiler, Tape& tape);
void compileGhostRemovals(Compiler& compiler, Tape& tape);
std::string ghostName(const State& state, uint32_t ghost);
// Seccomp filters, the instance's own and those of the program, for the thread whose tape it is. The last before it leaves.
void compileFilters(Compiler& compiler, Tape& tape, const Process& process, const Thread& thread);
// POSIX message queues with their messages.
void compileQueue(Compiler& compiler, Tape& tape, uint32_t index);
void compileQueueRemovals(Compiler& compiler, Tape& tape);
std::string queueName(const State& state, uint32_t index);
// Watches of inotify sets, with their old numbers.
void compileWatches(Compiler& compiler, Tape& tape);
// What needs all processes to be there, and the process's descriptors in their places: pidfds, seals against future writing, leases,
// undo lists of semaphores.
void compileLate(Compiler& compiler, Tape& tape, const Process& process);
// What needs all threads of the process: who gets SIGIO.
void compileOwners(Compiler& compiler, Tape& tape, const Process& process);
// Forgets the signal of a process that has ended while the tree was made.
void compileForgetChild(Compiler& compiler, Tape& tape, int signal);

// Runs `make` as the user that the program runs as.
template <typename Make>
void asApplication(const Compiler& compiler, Tape& tape, Make&& make) {
  const Credentials& user = compiler.state.processes.front().threads.front().credentials;
  bool other = user.uid[1] != 0 || user.gid[1] != 0;
  if (other) tape.call("become the program's group", SYS_setresgid, {-1, user.gid[1], -1});
  if (other) tape.call("become the program's user", SYS_setresuid, {-1, user.uid[1], -1});
  make();
  if (other) tape.call("become root again", SYS_setresuid, {-1, 0, -1});
  if (other) tape.call("become root again", SYS_setresgid, {-1, 0, -1});
}

// System V objects with their old ids and contents.
void compileIpc(Compiler& compiler, Tape& tape);
// Shared memory that goes with its last process is marked so again, once all are attached.
void compileIpcRemovals(Compiler& compiler, Tape& tape);

// The calling process opens every open file description of the image, each moved above highFd.
void compileOpenFiles(Compiler& compiler, Tape& tape);
// Descriptor table of one process: final numbers, epoll sets, then the restorer's own are closed.
void compileDescriptors(Compiler& compiler, Tape& tape, const Process& process);

// Memory of a process other than the root: its zygote holds it at addresses that nobody uses, from where compileMemory() moves it
// into its place in each clone, so that clones share it as they share the root's.
void compileParkedMemory(Compiler& compiler, Tape& tape, const Process& process);
// A process that has its own memory, and whose children have theirs, lets go of what is parked.
void compileUnpark(Compiler& compiler, Tape& tape);
// The shared mappings that a zygote has left out.
void compileSharedMemory(Compiler& compiler, Tape& tape, const Process& process);
// What of a process's memory may come while it runs, and what of that is there before.
struct LazyMemory {
  FillPlan plan;
  std::vector<CopyRun> first;     // the beginning of the working set, from the end
  std::vector<Extent> groups;     // ranges between which there is no other memory yet: registered in one call
  bool contains(uint64_t address) const;
};
LazyMemory planLazyMemory(const Compiler& compiler, const Process& process);
// Registers the lazy ranges and sends the userfaultfd, which is returned, to the filler. When they are mapped, and no others.
Slot compileLazyMemory(Compiler& compiler, Tape& tape, const LazyMemory& lazy);
// Copies those of the first pages that the filler has not come to yet.
void compileFirstPages(Compiler& compiler, Tape& tape, const LazyMemory& lazy, Slot uffd);

// Memory of which the first part is there.
struct MemoryBegun {
  LazyMemory lazy;
  Slot uffd{};
  uint64_t vdsoPlaces = 0;  // where a struct VdsoMap says where the vdso goes
};
// Address space of one process from nothing: unmaps all and maps what is filled while the rest is made, which needs none of the
// instance's files. The process must not fork before it is alone in having this memory.
MemoryBegun beginMemory(Compiler& compiler, Tape& tape, const Process& process, bool withShared);
// Maps and fills the rest. A zygote leaves shared mappings to its clones.
void finishMemory(Compiler& compiler, Tape& tape, const Process& process, bool withShared, const MemoryBegun& begun);

// Advice that would not survive the fork of a zygote.
void compileForkAdvice(Compiler& compiler, Tape& tape, const Process& process);

// Signals, names, what else does not depend on when it is done.
void compileProcessState(Compiler& compiler, Tape& tape, const Process& process);
// When nothing needs more descriptors than the program may have.
void compileLimits(Compiler& compiler, Tape& tape, const Process& process);
// Timers that begin to run. Once the threads are made: one may tell one of them, or measure its CPU time.
void compileTimers(Compiler& compiler, Tape& tape, const Process& process);
void armTimerDescriptor(Region& region, Tape& tape, const OpenFile& file, Argument fd);
// All threads, credentials, last barrier and leaving. `tape` is the leader's.
void compileThreads(Compiler& compiler, Tape& tape, const Process& process);
// In a zygote: what the threads of its clones leave the restorer with, where it can be shared.
void compileFrames(Compiler& compiler, Tape& tape, const Process& process);

// The signal frame from which rt_sigreturn makes the thread what it was. Placed at `target` on the thread's own stack.
struct SignalFrame {
  std::string bytes;
  uint64_t target = 0;
};
SignalFrame buildSignalFrame(const Process& process, const Thread& thread);
// A frame from which rt_sigreturn leads back into the restorer, which fills in where (FRAME_* in tape.h).
std::string buildReturnFrame();

}  // namespace appshot
