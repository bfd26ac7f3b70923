/*
 * What the keeper and the restorer agree on. Plain C: included by the core (C++20) and by the freestanding restorer.
 *
 * A *region* is a range of addresses that no process of the image uses. It holds everything of the restorer, at the same
 * place in every process of the tree, and is gone when the program runs:
 *
 *   base                                                                                            base + size
 *   | stubs, one page a thread | header | code | status (shared) | parking for the vdso | slots, stacks | data |
 *
 * data: tapes, paths, frames. A task unmaps its own stub last; the last task of a process to leave unmaps all the rest before that.
 *
 * A *tape* is an array of operations, worked out once from the image; the restorer runs it without thinking.
 */
#ifndef APPSHOT_RESTORER_TAPE_H
#define APPSHOT_RESTORER_TAPE_H

#include <stdint.h>

enum {
  APPSHOT_PAGE = 4096,
  APPSHOT_STACK = 16384,       /* of a process's first thread, inside the region */
  APPSHOT_THREAD_STACK = 8192, /* of every further thread; it only runs its tape */
  APPSHOT_SERVER = 32768,      /* room for a zygote's struct Server; what its clones go on with stands in the last 64 bytes */
  APPSHOT_COUNTERS = 64, /* that tasks tell each other with how far they are */
  APPSHOT_MAX_FDS = 16,        /* that come with a command */
};

/* How an argument of an operation is to be read: bit pairs in Op.modes, lowest for arg[0]. */
enum { ARG_VALUE = 0, ARG_SLOT = 1 };

enum OpKind {
  OP_END = 0,     /* end of this tape */
  OP_SYSCALL = 1, /* number, arg[0..5]; the result goes to slot `out` when it is not negative */
  OP_FORK = 2,    /* arg[0]: virtual pid, arg[1]: address of the child's tape, arg[2]: the signal that its end gives */
  OP_THREAD = 3,  /* arg[0]: virtual tid, arg[1]: address of its tape, arg[2]: top of its stack */
  OP_BARRIER = 4, /* wait until arg[1] tasks have come to barrier arg[0] */
  OP_LEAVE = 5,   /* arg[0]: address of a struct Leave: never returns */
  OP_SERVE = 6,   /* become a zygote: answer commands on descriptor arg[0], with APPSHOT_SERVER bytes at arg[1]; a clone goes on behind this operation */
  OP_CALL = 7,    /* run the tape at arg[0], then go on */
  OP_MARK = 8,    /* note the time in Status.marks[arg[0]] */
  OP_COPY = 9,    /* memcpy(arg[0], arg[1], arg[2]) */
  OP_RESEED = 10, /* fill arg[1] bytes at arg[0] from the kernel's random numbers */
  OP_VDSO = 11,   /* arg[0]: 0 park the vdso in the region, 1 move it to where arg[1] (struct VdsoMap) says */
  OP_SET = 15,      /* 64-bit arg[1] to address arg[0] */
  OP_STORE = 14,    /* 32-bit arg[1] to address arg[0] */
  OP_LOAD = 13,     /* 32-bit number at address arg[0] to slot `out` */
  OP_GATE = 16,     /* wait until the keeper opens gate arg[1]; the last of arg[0] tasks tells it that all wait (0: nobody counts on this one) */
  OP_PREFAULT = 17, /* make the pages of process arg[1] present that stand in descriptor slot arg[0] (struct PrefaultHeader) */
  OP_CONFIGURE = 18, /* call the configurator: see struct Configure at arg[0] */
  OP_WATCH = 20,    /* arg[0]: inotify descriptor, arg[1]: path, arg[2]: mask, arg[3]: the number that the watch has to get */
  OP_DRAIN = 21,    /* reads away what waits in descriptor arg[0] */
  OP_AWAIT = 23,    /* wait until the 32-bit word at arg[0], a futex, is arg[1] or more */
  OP_TELL = 24,     /* add one to the 32-bit word at arg[0], a futex */
  OP_UNTIL = 22,    /* system call `number` without arguments, until it gives `exact` */
  OP_UFFD_COPY = 12, /* copies into a userfaultfd until it meets who copies from the other end; arg[0]: slot value userfaultfd; arg[1]: struct CopyRun array; arg[2]: count; arg[3]: source base */
};

enum { EXPECT_ANY = 0, EXPECT_OK = 1, EXPECT_EXACT = 2 };

struct Op {
  uint32_t kind;
  uint32_t number;   /* of the system call */
  uint64_t arg[6];
  uint32_t modes;
  uint32_t expect;   /* EXPECT_* */
  int64_t exact;
  int32_t out;       /* slot, -1 for none */
  uint32_t step;     /* index into the step names that the compiler keeps; told when it fails */
};

/* The last step of a task. The frame is copied below its stack, then the stub in its own page unmaps what is left. */
struct Leave {
  uint64_t frame;        /* in the region */
  uint64_t frameBytes;
  uint64_t frameTarget;  /* on the program's own stack */
  uint64_t stub;         /* page of this task, outside of what the last task unmaps */
  uint64_t stubBytes;
  uint64_t gadget;       /* `syscall; ret` in the program's memory; below frameTarget[0] is the address of a sigreturn */
  uint64_t counter;      /* slot of the number of tasks of this process that are still in the region: who makes it 0 unmaps that */
  uint64_t unmapStart, unmapBytes;
};

/*
 * The configurator's entry returns by rt_sigreturn into the frame that it is given: one that leads back into the restorer. `confirmed`
 * is where it says how it went; the last of `count` processes to have done it says that everything runs (0: there is more to come).
 */
struct Configure { uint64_t entry, stack, frame, confirmed, count; };
enum { FRAME_RBP = 128, FRAME_RBX = 136, FRAME_R12 = 80, FRAME_R13 = 88, FRAME_R14 = 96, FRAME_R15 = 104, FRAME_RSP = 168, FRAME_RIP = 176 };

/* A file of pages to be made present: a header, then runs. */
struct PrefaultHeader { uint32_t first[64], count[64]; };  /* by process: its runs */
struct PrefaultRun { uint64_t address; uint32_t pages, advice; };  /* advice: what madvise is told */

struct CopyRun { uint64_t address, position, bytes; };
struct VdsoPiece { uint64_t from, to, bytes; };
struct VdsoMap { uint64_t count, base; struct VdsoPiece piece[4]; };  /* base: of the vdso itself, once it is in place */

/* The page that the keeper and all tasks of one restore share. Futex words are shared ones. */
struct Status {
  uint32_t failed;       /* 1 + errno-less: set once */
  uint32_t failedStep;
  int64_t failedResult;
  uint32_t failedTask;   /* virtual tid */
  uint32_t arrived[8];   /* barriers */
  uint32_t counters[APPSHOT_COUNTERS];
  uint32_t done;         /* futex: 1 everything runs, 2 failed, 3 all that are counted wait at their gates */
  uint32_t waiting;      /* at the gates */
  uint32_t gates[3];     /* futexes: 1 opens one */
  uint32_t confirmed;    /* processes whose configurator has run */
  uint32_t furnished;    /* futex: 1 when the pod shows the instance's files */
  uint32_t opened;       /* futex: 1 when its files are open, and it can be connected to */
  uint64_t marks[16];    /* time stamp counter */
};

/*
 * GATE_GO: somebody wants the programs to run. Before that, where there are processes that a signal had stopped: GATE_STAND, behind which
 * these go on to be stopped again; and when all stand, GATE_STOOD, where their parents wait.
 */
enum GateKind { GATE_GO = 0, GATE_STAND = 1, GATE_STOOD = 2 };

enum MarkKind { MARK_BORN = 0, MARK_FILES = 1, MARK_MEMORY = 2, MARK_THREADS = 3, MARK_GO = 4, MARK_FILL = 5 };

/* First bytes of the region. */
struct RegionHeader {
  uint64_t base, size;
  uint64_t code;         /* entry: void run(struct RegionHeader*, struct Op*) */
  uint64_t codeBytes;
  uint64_t slots;        /* uint64_t[]: descriptors and addresses that one operation leaves for another */
  uint64_t stackTop;
  uint64_t status;       /* struct Status, a shared page */
  uint64_t stubCode, stubCodeBytes;  /* copied into each stub page */
  uint64_t mainTape;
  int64_t rootPid;
};

/* What the keeper asks of a nursery or zygote: one datagram with descriptors. */
struct Command {
  uint32_t kind;         /* COMMAND_* */
  uint32_t fdCount;
  int32_t intermediatePid;  /* virtual pids: of the process between, unused by the image */
  int32_t rootPid;
  uint64_t regionBase, regionSize; /* COMMAND_RESTORE, COMMAND_ZYGOTE: map descriptor FD_TAPE there and run it */
  uint64_t header;                 /* address of the struct RegionHeader */
  uint32_t timensBytes;
  uint32_t v1Count;      /* descriptors from FD_V1 on are v1 cgroup.procs files */
  uint32_t intoCgroup;   /* descriptor FD_CGROUP is a cgroup v2 directory to be born into */
  char timens[120];
};

enum CommandKind {
  COMMAND_RESTORE = 1,  /* in a pod: new process that runs the tape in FD_TAPE */
  COMMAND_ZYGOTE = 2,   /* outside of pods, as a child of the caller's parent: runs the tape in FD_TAPE, which ends in OP_SERVE */
  COMMAND_CLONE = 3,    /* in a pod: fork of this zygote, which goes on behind its OP_SERVE */
  COMMAND_TOUCH = 4,    /* the zygote itself makes present what stands in FD_EXTRA for its first process (struct PrefaultHeader) */
};

enum CommandFd { FD_POD = 0, FD_CGROUP = 1, FD_PROC = 2, FD_TAPE = 3, FD_STATUS = 4, FD_PAGES = 5, FD_EXTRA = 6, FD_DUPLICATES = 7, FD_BASE = 8, FD_V1 = 9 };

struct Answer { int64_t result; /* virtual pid, or -errno */ };

#endif
