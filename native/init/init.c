// pid 1 of a pod. Reaps every child and tells the keeper {vpid, status} of each over a pipe; a record with vpid 0 says that
// no child is left. It keeps both ends of the pipe, so that neither a dead keeper nor a full pipe can hurt it, and so that
// the next keeper finds the pipe in /proc/PID/fd. Ends only by SIGKILL.
//
// While memory of the pod's processes is still being filled, it holds duplicates of their userfaultfds: when the last one closes, the
// kernel gives zeros for what is missing. If the filler is gone before it has told the end, all processes are killed instead, whether
// there is a keeper or not.
//
// No libc: nothing in here that an application could make use of, and a resident size of a few pages.

typedef long word;

enum {
  kRead = 0, kWrite = 1, kClose = 3, kPoll = 7, kRtSigprocmask = 14, kRecvmsg = 47, kWait4 = 61, kKill = 62, kPrctl = 157, kSignalfd4 = 289
};
enum {
  kSigBlock = 0, kSigkill = 9, kSigchld = 17, kWnohang = 1, kAnyChild = 0x40000000 /* __WALL */, kSetDumpable = 4, kSetName = 15, kEchild = 10,
  kCloexec = 02000000, kMsgCloexec = 0x40000000, kPollIn = 1
};

struct ExitRecord {
  int vpid;
  int status;
};

struct Watched {
  int fd;
  short events, seen;
};

// As sendmsg and recvmsg have them.
struct Piece {
  void* bytes;
  unsigned long size;
};
struct TwoDescriptors {
  unsigned long size;
  int level, type, fds[2];
};
struct Message {
  void* name;
  unsigned nameSize;
  struct Piece* pieces;
  unsigned long pieceCount;
  void* control;
  unsigned long controlSize;
  int flags;
};

// The pipe's end for writing, and a socket over which the keeper tells of memory that will be filled; the keeper puts both there before
// the exec. No more than one such message comes. (core/fill/filler.cc knows the numbers that the descriptors in it get.)
enum { kExitPipe = 4, kControl = 5 };

static int control = kControl;   // -1: nothing can come any more
static int duplicates = -1;      // of userfaultfds: they wait in this socket
static int fate = -1;            // a pipe: a byte when all memory is there, or its end

static word syscall4(word number, word a, word b, word c, word d) {
  word result;
  register word r10 __asm__("r10") = d;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
  return result;
}

static void tell(int vpid, int status) {
  struct ExitRecord record = {vpid, status};
  // Without waiting: a record that nobody reads must not stop the reaping.
  syscall4(kWrite, kExitPipe, (word)&record, sizeof record, 0);
}

static void reapAll(void) {
  for (;;) {
    int status = 0;
    word vpid = syscall4(kWait4, -1, (word)&status, kWnohang | kAnyChild, 0);
    if (vpid > 0) {
      tell((int)vpid, status);
    } else {
      if (vpid == -kEchild) tell(0, 0);
      return;
    }
  }
}

static void closeFd(int* fd) {
  syscall4(kClose, *fd, 0, 0, 0);
  *fd = -1;
}

static void hearOfFill(void) {
  static char byte;
  static struct Piece piece = {&byte, 1};
  static struct TwoDescriptors received;
  static struct Message message = {0, 0, &piece, 1, &received, sizeof received, 0};
  word n = syscall4(kRecvmsg, control, (word)&message, kMsgCloexec, 0);
  if (n == 1 && message.controlSize == sizeof received) {
    duplicates = received.fds[0];
    fate = received.fds[1];
  }
  closeFd(&control);
}

static void endAll(void) {
  syscall4(kKill, -1, kSigkill, 0, 0);
  // As long as one of them is there, it must not see the zeros.
  for (;;) {
    int status = 0;
    word vpid = syscall4(kWait4, -1, (word)&status, kAnyChild, 0);
    if (vpid <= 0) break;
    tell((int)vpid, status);
  }
  tell(0, 0);
}

static void hearOfFate(void) {
  char byte;
  if (syscall4(kRead, fate, (word)&byte, 1, 0) != 1) endAll();
  closeFd(&duplicates);
  closeFd(&fate);
}

__attribute__((noreturn, used)) void initMain(void) {
  // Nobody in the pod may trace it or look at its descriptors, not even under its own uid.
  syscall4(kPrctl, kSetDumpable, 0, 0, 0);
  syscall4(kPrctl, kSetName, (word) "appshot-init", 0, 0);
  unsigned long all = ~0ul;
  syscall4(kRtSigprocmask, kSigBlock, (word)&all, 0, sizeof all);
  unsigned long child = 1ul << (kSigchld - 1);
  word signals = syscall4(kSignalfd4, -1, (word)&child, sizeof child, kCloexec);
  for (;;) {
    struct Watched watched[3] = {{(int)signals, kPollIn, 0}, {control, kPollIn, 0}, {fate, kPollIn, 0}};
    syscall4(kPoll, (word)watched, 3, -1, 0);
    if (watched[1].seen) hearOfFill();
    if (watched[2].seen) hearOfFate();
    if (!watched[0].seen) continue;
    static char signal[128];
    syscall4(kRead, signals, (word)signal, sizeof signal, 0);
    reapAll();
  }
}

__attribute__((naked, noreturn)) void _start(void) {
  __asm__ volatile("xor %ebp, %ebp\n and $-16, %rsp\n call initMain\n");
}
