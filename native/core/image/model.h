// What a snapshot knows: plain state, apart from the live objects it was read from and is made into.
// Every id in here is a virtual one: what the application sees inside its pod.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/image/open_file.h"
#include "core/template/resource.h"
#include "core/template/rule.h"

namespace appshot {

// What stands behind a range of memory.
enum class VmaKind : uint32_t {
  Anonymous = 0,    // private, no file: heap, stacks, mmap(MAP_ANONYMOUS|MAP_PRIVATE)
  FilePrivate = 1,  // private mapping of a file: libraries, the program itself; written pages are saved
  FileShared = 2,   // shared mapping of a file that has a name: the file holds the contents
  Shared = 3,       // shared memory without a name: memfd, MAP_SHARED|MAP_ANONYMOUS; `object` is its number
  Vdso = 4,         // code page of the kernel
  Vvar = 5,         // data pages of the kernel beside the vdso ([vvar], [vvar_vclock])
  SysV = 6,         // attached System V shared memory; `object` is its id
};

// One entry of a process's address space. Fixed layout: stored as it is.
struct Vma {
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t offset = 0;   // into the file or shared object
  uint32_t prot = 0;     // PROT_*
  uint32_t kind = 0;     // VmaKind
  uint32_t object = 0;   // index into mappedFiles or sharedMemory
  uint32_t advice = 0;   // VmaAdvice bits
};
static_assert(sizeof(Vma) == 40);

enum VmaAdvice : uint32_t {
  kAdviceGrowsDown = 1u << 0,
  kAdviceDontFork = 1u << 1,
  kAdviceWipeOnFork = 1u << 2,
  kAdviceDontDump = 1u << 3,
  kAdviceHugepage = 1u << 4,
  kAdviceNoHugepage = 1u << 5,
  kAdviceMergeable = 1u << 6,
  kAdviceLocked = 1u << 7,
  kAdviceNoReserve = 1u << 8,
  kAdviceSequential = 1u << 9,
  kAdviceRandom = 1u << 10,
  kAdvicePrivateShared = 1u << 11,  // MAP_PRIVATE of a memfd or of shared memory
};

// A run of saved pages: `pages` pages of 4096 bytes at `address`, from `position` in pages.bin. Fixed layout.
struct PageRun {
  uint64_t address = 0;
  uint64_t pages = 0;
  uint64_t position = 0;
};
static_assert(sizeof(PageRun) == 24);

// A file or directory that is still used but has no name any more.
struct GhostFile {
  std::string path;        // what it was called
  std::string place;       // a directory that is there, as near as may be: where it is made again
  bool directory = false;
  uint32_t mode = 0, uid = 0, gid = 0;
  std::string contents;
};

// A file that is mapped; checked at restore by size and change time, or by build-id where it has one.
struct MappedFile {
  std::string path;
  bool writable = false;  // some shared mapping of it may write
  uint64_t size = 0;
  int64_t mtimeNs = 0;
  bool deleted = false;
  std::string buildId;    // of an ELF file that has one
  uint32_t ghost = 0;     // of a deleted one: index into ghosts
};

// Shared memory without a name. Its contents stand in pages.bin.
struct SharedMemory {
  uint64_t size = 0;
  std::string name;       // of the memfd; empty for MAP_SHARED|MAP_ANONYMOUS
  bool memfd = false;
  uint32_t seals = 0;
  std::vector<PageRun> runs;  // address: offset in the object
};

struct SignalAction {
  uint32_t number = 0;
  uint64_t handler = 0, flags = 0, restorer = 0, mask = 0;
};

struct QueuedSignal {
  std::string siginfo;  // siginfo_t, 128 bytes
};

struct Credentials {
  uint32_t uid[4]{};  // real, effective, saved, file-system
  uint32_t gid[4]{};
  std::vector<uint32_t> groups;
  uint64_t capInheritable = 0, capPermitted = 0, capEffective = 0, capBounding = 0, capAmbient = 0;
  bool noNewPrivs = false;
  uint32_t secureBits = 0;
};

struct Thread {
  int32_t tid = 0;
  std::string comm;
  std::string registers;  // user_regs_struct
  int64_t waitLeftNs = -1;  // of the time of the call that it was stopped in, where the registers tell the whole only; -1 not known
  std::string xstate;     // XSAVE area, standard format, as PTRACE_GETREGSET gives it
  uint64_t signalMask = 0;
  uint64_t altStack = 0, altStackSize = 0;
  int32_t altStackFlags = 0;
  uint64_t tidAddress = 0;
  uint64_t robustList = 0, robustListSize = 0;
  uint64_t rseqAddress = 0;
  uint32_t rseqSize = 0, rseqSignature = 0, rseqFlags = 0;
  int32_t parentDeathSignal = 0;
  int32_t schedPolicy = 0, schedPriority = 0, nice = 0;
  std::vector<uint64_t> affinity;  // empty: every CPU
  uint64_t timerSlackNs = 0;
  Credentials credentials;
  uint32_t seccompFilters = 0;
  std::vector<std::string> ownFilters;   // seccomp filters of the program, struct sock_filter[], in the order in which they were installed
  std::vector<uint32_t> ownFilterFlags;  // SECCOMP_FILTER_FLAG_* of each
  uint32_t ioPriority = 0;               // as ioprio_get() gives it
  std::vector<QueuedSignal> queued;
};

struct IntervalTimer {
  int64_t intervalUs = 0, valueUs = 0;
};

struct PosixTimer {
  int32_t id = 0, clock = 0, notify = 0, signal = 0, tid = 0;
  uint64_t sigval = 0;
  int64_t intervalNs = 0, valueNs = 0;
  int32_t overrun = 0;
};

struct RecordLock {   // fcntl(F_SETLK), or F_OFD_SETLK
  int32_t fd = 0, type = 0;
  int64_t start = 0, length = 0;  // length 0: to the end of the file
  bool ofd = false;               // belongs to the open file description rather than to the process
};

struct MemoryLayout {   // prctl(PR_SET_MM_MAP)
  uint64_t startCode = 0, endCode = 0, startData = 0, endData = 0, startBrk = 0, brk = 0, startStack = 0;
  uint64_t argStart = 0, argEnd = 0, envStart = 0, envEnd = 0;
  std::string auxv;
  std::string exe;
};

// What semop(SEM_UNDO) takes back when the process ends.
struct SemaphoreUndo {
  int32_t id = 0, number = 0, adjustment = 0;
};

struct Process {
  int32_t pid = 0, ppid = 0, pgid = 0, sid = 0;
  std::string comm;            // of its first thread
  bool zombie = false;
  int32_t exitStatus = 0;      // of a zombie, as wait() gives it
  int32_t stopSignal = 0;      // of one that stands still until SIGCONT comes: what stopped it
  bool stopUntold = false;     // … and its parent has not been told of it yet by wait()
  std::vector<Thread> threads;  // the leader first
  std::vector<Vma> vmas;
  std::vector<PageRun> runs;
  MemoryLayout layout;
  std::vector<Descriptor> descriptors;
  std::vector<SignalAction> actions;
  std::vector<QueuedSignal> queued;   // for the whole process
  IntervalTimer timers[3];            // ITIMER_REAL, VIRTUAL, PROF
  std::vector<PosixTimer> posixTimers;
  std::vector<RecordLock> locks;
  std::vector<std::pair<uint64_t, uint64_t>> limits;  // RLIMIT_* soft, hard
  std::string cwd, root;
  uint32_t umask = 022;
  int32_t dumpable = 1;
  bool subreaper = false, thpDisabled = false;
  uint32_t membarrier = 0;
  int32_t oomScoreAdj = 0;
  bool cwdDeleted = false;        // `cwd` is then where it is made again, under another name
  int32_t exeGhost = -1;          // of a program whose file has been deleted: index into ghosts
  int32_t exitSignal = 17;        // what its parent is sent at its end
  uint32_t personality = 0, coredumpFilter = 0x33;
  uint32_t memoryDenials = 0;     // prctl(PR_GET_MDWE)
  std::vector<SemaphoreUndo> undos;
  // Instructions of the program itself over which the restorer leaves; see snapshot/gadgets.h.
  uint64_t gadgetSyscall = 0, gadgetSigreturn = 0;
  // What a clone's first thread runs before it goes on; 0 without the preloaded library. See configurator/.
  uint64_t configurator = 0;
};

enum class IpcKind : uint32_t { SharedMemory = 0, Semaphores = 1, MessageQueue = 2, PosixQueue = 3 };

struct IpcMessage {
  int64_t type = 0;  // priority in a POSIX queue
  std::string bytes;
};

// A System V object: global to the pod, with an id that programs remember.
struct IpcObject {
  uint32_t kind = 0;  // IpcKind
  int32_t id = 0;
  uint32_t key = 0, uid = 0, gid = 0, mode = 0;
  bool destroyed = false;             // shared memory: goes when the last process detaches; a queue: has no name any more
  std::string name;                   // of a POSIX queue, with its slash
  uint64_t messageBytes = 0;          // longest message of a POSIX queue; `size` is the most messages
  uint64_t size = 0;                  // bytes of shared memory or of a queue at most; number of semaphores
  std::vector<PageRun> runs;          // address: offset in the segment
  std::vector<uint16_t> values;       // of semaphores
  std::vector<IpcMessage> messages;   // in order
};

struct Environment {
  std::string kernel;        // release
  uint64_t xfeatures = 0;    // XCR0 mask in the saved areas
  uint32_t xsaveSize = 0;
  std::string cpu;           // vendor, family, model: informative
  uint64_t vdsoHash = 0;     // of the kernel's vdso: its code may be in the middle of running
};

// All of one application chain.
struct State {
  Environment environment;
  std::vector<Process> processes;       // parents before children; the root first
  std::vector<OpenFile> files;
  std::vector<GhostFile> ghosts;
  std::vector<MappedFile> mappedFiles;
  std::vector<SharedMemory> sharedMemory;
  std::vector<IpcObject> ipc;
  std::string hostName;
  uint32_t ownAddress = 0;   // of its pod, in the byte order of the wire: where it wakes with another, its sockets get that
  bool asyncIo = false;      // its programs may use io_uring and Linux AIO: how much the instance's seccomp filter allows
  int64_t monotonicNs = 0, boottimeNs = 0;  // as the application saw them
  std::vector<Rule> rules;                  // unevaluated
  std::vector<ClassifiedResource> resources; // what a clone does with each
};

}  // namespace appshot
