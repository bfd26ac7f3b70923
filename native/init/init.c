// pid 1 of a pod. Reaps every child and tells the keeper {vpid, status} of each over a pipe; a record with vpid 0 says that
// no child is left. It keeps both ends of the pipe, so that neither a dead keeper nor a full pipe can hurt it, and so that
// the next keeper finds the pipe in /proc/PID/fd. Ends only by SIGKILL.
//
// No libc: nothing in here that an application could make use of, and a resident size of a few pages.

typedef long word;

enum { kRead = 0, kWrite = 1, kPrctl = 157, kRtSigprocmask = 14, kRtSigtimedwait = 128, kWait4 = 61, kExit = 231 };
enum { kSigBlock = 0, kSigchld = 17, kWnohang = 1, kAnyChild = 0x40000000 /* __WALL */, kSetDumpable = 4, kSetName = 15, kEchild = 10 };

struct ExitRecord {
  int vpid;
  int status;
};

// The pipe's end for writing; the keeper puts it there before the exec.
static const int kExitPipe = 4;

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

__attribute__((noreturn, used)) void initMain(void) {
  // Nobody in the pod may trace it or look at its descriptors, not even under its own uid.
  syscall4(kPrctl, kSetDumpable, 0, 0, 0);
  syscall4(kPrctl, kSetName, (word) "appshot-init", 0, 0);
  unsigned long all = ~0ul;
  syscall4(kRtSigprocmask, kSigBlock, (word)&all, 0, sizeof all);
  unsigned long child = 1ul << (kSigchld - 1);
  for (;;) {
    syscall4(kRtSigtimedwait, (word)&child, 0, 0, sizeof child);
    reapAll();
  }
}

__attribute__((naked, noreturn)) void _start(void) {
  __asm__ volatile("xor %ebp, %ebp\n and $-16, %rsp\n call initMain\n");
}
