/* The restorer: runs tapes inside the region. Position independent, no data of its own, no libc. */
#include "restorer/serve.h"

struct Context {
  struct RegionHeader* header;
  struct Status* status;
  uint64_t* slots;
  uint64_t vdso;
  int32_t task; /* virtual tid, for reports */
};

static void runTape(struct Context* context, struct Op* op);

static void wakeAll(uint32_t* word) { sys6(NR_futex, (long)word, 1 /* FUTEX_WAKE */, 0x7fffffff, 0, 0, 0); }

static void fail(struct Context* context, uint32_t step, long result) {
  struct Status* status = context->status;
  uint32_t none = 0;
  if (__atomic_compare_exchange_n(&status->failed, &none, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    status->failedStep = step;
    status->failedResult = result;
    status->failedTask = (uint32_t)context->task;
    __atomic_store_n(&status->done, 2, __ATOMIC_SEQ_CST);
    wakeAll(&status->done);
  }
  sys1(NR_exit_group, 1);
}

static uint64_t argument(struct Context* context, struct Op* op, int index) {
  uint64_t value = op->arg[index];
  return (op->modes >> (2 * index) & 3) == ARG_SLOT ? context->slots[value] : value;
}

static void opSyscall(struct Context* context, struct Op* op) {
  long result = sys6(op->number, (long)argument(context, op, 0), (long)argument(context, op, 1), (long)argument(context, op, 2),
                     (long)argument(context, op, 3), (long)argument(context, op, 4), (long)argument(context, op, 5));
  if ((op->expect == EXPECT_OK && result < 0 && result > -4096) || (op->expect == EXPECT_EXACT && result != op->exact))
    fail(context, op->step, result);
  if (op->out >= 0) context->slots[op->out] = (uint64_t)result;
}

static void opFork(struct Context* context, struct Op* op) {
  int32_t pid = (int32_t)op->arg[0];
  struct CloneArgs args;
  fillZero(&args, sizeof args);
  args.exit_signal = op->arg[2];
  args.set_tid = (uint64_t)&pid;
  args.set_tid_size = 1;
  long result = sys3(NR_clone3, (long)&args, sizeof args, 0);
  if (result == 0) {
    context->task = pid;
    runTape(context, (struct Op*)op->arg[1]);
    sys1(NR_exit_group, 103);
  }
  if (result != pid) fail(context, op->step, result);
}

struct ThreadStart { struct Context context; struct Op* tape; };

static void threadBody(void* argument) {
  struct ThreadStart* start = argument;
  runTape(&start->context, start->tape);
  sys1(NR_exit_group, 104);
}

static void opThread(struct Context* context, struct Op* op) {
  int32_t tid = (int32_t)op->arg[0];
  uint64_t top = op->arg[2];
  struct ThreadStart* start = (struct ThreadStart*)(top - sizeof *start);
  start->context = *context;
  start->context.task = tid;
  start->tape = (struct Op*)op->arg[1];
  struct CloneArgs args;
  fillZero(&args, sizeof args);
  args.flags = K_CLONE_VM | K_CLONE_FS | K_CLONE_FILES | K_CLONE_SIGHAND | K_CLONE_THREAD | K_CLONE_SYSVSEM;
  args.stack = top - APPSHOT_THREAD_STACK;
  args.stack_size = APPSHOT_THREAD_STACK - sizeof *start - 16;
  args.stack_size &= ~15ull;
  args.set_tid = (uint64_t)&tid;
  args.set_tid_size = 1;
  long result = cloneCall(&args, threadBody, start);
  if (result != tid) fail(context, op->step, result);
}

/* All tasks of the tree meet. The last one to come to the last barrier lets everything go. */
static void opBarrier(struct Context* context, struct Op* op) {
  struct Status* status = context->status;
  uint32_t* arrived = &status->arrived[op->arg[0]];
  uint32_t total = (uint32_t)op->arg[1];
  if (__atomic_add_fetch(arrived, 1, __ATOMIC_SEQ_CST) == total) {
    if (op->arg[2]) {
      status->marks[MARK_GO] = timeStamp();
      __atomic_store_n(&status->done, 1, __ATOMIC_SEQ_CST);
      wakeAll(&status->done);
    }
    wakeAll(arrived);
    return;
  }
  for (;;) {
    uint32_t now = __atomic_load_n(arrived, __ATOMIC_SEQ_CST);
    if (now >= total) return;
    sys6(NR_futex, (long)arrived, 0 /* FUTEX_WAIT */, now, 0, 0, 0);
  }
}

static void copyBytes(uint64_t to, uint64_t from, uint64_t bytes) {
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

/* Copies the signal frame to the program's stack and goes to this task's stub, which never comes back. */
static void opLeave(struct Context* context, struct Op* op) {
  struct Leave* leave = (struct Leave*)op->arg[0];
  copyBytes(leave->frameTarget, leave->frame, leave->frameBytes);
  copyBytes(leave->stub, context->header->stubCode, context->header->stubCodeBytes);
  /* The stub finds everything in registers: see stub.S. */
  register uint64_t r12 __asm__("r12") = leave->frameTarget;
  register uint64_t r13 __asm__("r13") = leave->gadget;
  register uint64_t r14 __asm__("r14") = leave->stub;
  register uint64_t r15 __asm__("r15") = leave->stubBytes;
  register uint64_t r8 __asm__("r8") = leave->unmapStart;
  register uint64_t r9 __asm__("r9") = leave->unmapBytes;
  register uint64_t r10 __asm__("r10") = (uint64_t)&context->slots[leave->counter];
  __asm__ volatile("jmp *%%rax" : : "a"(leave->stub), "r"(r12), "r"(r13), "r"(r14), "r"(r15), "r"(r8), "r"(r9), "r"(r10) : "memory");
  __builtin_unreachable();
}

static void opVdso(struct Context* context, struct Op* op) {
  struct VdsoMap* map = (struct VdsoMap*)op->arg[1];
  for (uint64_t i = 0; i < map->count; i++) {
    struct VdsoPiece* piece = &map->piece[i];
    uint64_t from = op->arg[0] == 0 ? context->vdso + piece->from : piece->from;
    /* MREMAP_MAYMOVE|MREMAP_FIXED; the kernel keeps account of where the vdso is */
    long result = sys6(NR_mremap, (long)from, (long)piece->bytes, (long)piece->bytes, 3, (long)piece->to, 0);
    if (result != (long)piece->to) fail(context, op->step, result);
  }
  if (op->arg[0] == 1) context->vdso = map->base;
}

struct UffdCopy { uint64_t to, from, bytes, mode; int64_t copied; };

/*
 * The filler copies the same runs in the opposite order: where a page is there already (EEXIST), it has done the rest. When all of the
 * memory is there it has unregistered it (ENOENT).
 */
static void opUffdCopy(struct Context* context, struct Op* op) {
  long fd = (long)argument(context, op, 0);
  struct CopyRun* run = (struct CopyRun*)op->arg[1];
  for (uint64_t i = 0; i < op->arg[2]; i++, run++) {
    for (uint64_t done = 0; done < run->bytes;) {
      struct UffdCopy copy = {run->address + done, op->arg[3] + run->position + done, run->bytes - done, 0, 0};
      long result = sys3(NR_ioctl, fd, 0xc028aa03 /* UFFDIO_COPY */, (long)&copy);
      if (result == 0) break;
      if (result != -11 /* EAGAIN: not all of it */) {
        if (result == -2 /* ENOENT */ || result == -17 /* EEXIST */) return;
        fail(context, op->step, result);
      }
      done += copy.copied > 0 ? (uint64_t)copy.copied : 0;
    }
  }
}

static void awaitWord(uint32_t* word, uint32_t least) {
  for (uint32_t now; (now = __atomic_load_n(word, __ATOMIC_SEQ_CST)) < least;) sys6(NR_futex, (long)word, 0 /* FUTEX_WAIT */, now, 0, 0, 0);
}

static void tellWord(uint32_t* word) {
  __atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
  wakeAll(word);
}

static void opGate(struct Context* context, struct Op* op) {
  struct Status* status = context->status;
  if (op->arg[0] && __atomic_add_fetch(&status->waiting, 1, __ATOMIC_SEQ_CST) == op->arg[0]) {
    uint32_t nothing = 0; /* nor a failure */
    __atomic_compare_exchange_n(&status->done, &nothing, 3, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    wakeAll(&status->done);
  }
  awaitWord(&status->gates[op->arg[1]], 1);
}

/* A kernel without MADV_POPULATE_*, or other mappings by now: no harm. */
static void prefault(long fd, uint64_t process) {
  enum { AT_ONCE = 128 };
  if (process >= 64) return;
  struct PrefaultRun runs[AT_ONCE];
  uint32_t place[2];
  for (int i = 0; i < 2; i++)
    if (sys6(NR_pread64, fd, (long)&place[i], 4, (long)(process + (i ? 64 : 0)) * 4, 0, 0) != 4) return;
  for (uint32_t done = 0; done < place[1];) {
    uint32_t some = place[1] - done < AT_ONCE ? place[1] - done : AT_ONCE;
    long bytes = (long)(some * sizeof runs[0]);
    if (sys6(NR_pread64, fd, (long)runs, bytes, (long)(sizeof(struct PrefaultHeader) + (place[0] + done) * sizeof runs[0]), 0, 0) != bytes) return;
    for (uint32_t i = 0; i < some; i++)
      sys3(NR_madvise, (long)runs[i].address, (long)runs[i].pages * APPSHOT_PAGE, runs[i].advice);
    done += some;
  }
}

/* As a signal handler would, the entry runs on the program's stack; what it needs to come back stands in the frame. */
static void opConfigure(struct Context* context, struct Op* op) {
  struct Configure* configure = (struct Configure*)op->arg[0];
  volatile uint32_t* confirmed = (volatile uint32_t*)configure->confirmed;
  *confirmed = 0;
  __asm__ volatile(
      "lea 1f(%%rip), %%rax\n\t"
      "mov %%rax, %c[rip](%%rdi)\n\t"
      "mov %%rsp, %c[rsp](%%rdi)\n\t"
      "mov %%rbp, %c[rbp](%%rdi)\n\t"
      "mov %%rbx, %c[rbx](%%rdi)\n\t"
      "mov %%r12, %c[r12](%%rdi)\n\t"
      "mov %%r13, %c[r13](%%rdi)\n\t"
      "mov %%r14, %c[r14](%%rdi)\n\t"
      "mov %%r15, %c[r15](%%rdi)\n\t"
      "mov %%rdx, %%rsp\n\t"
      "cld\n\t"
      "jmp *%%rcx\n"
      "1:"
      :
      : "D"(configure->frame), "d"(configure->stack), "c"(configure->entry), [rip] "i"(FRAME_RIP), [rsp] "i"(FRAME_RSP), [rbp] "i"(FRAME_RBP),
        [rbx] "i"(FRAME_RBX), [r12] "i"(FRAME_R12), [r13] "i"(FRAME_R13), [r14] "i"(FRAME_R14), [r15] "i"(FRAME_R15)
      : "rax", "rsi", "r8", "r9", "r10", "r11", "memory", "cc");
  if (*confirmed != 1) fail(context, op->step, -71 /* EPROTO */);
  struct Status* status = context->status;
  if (configure->count == 0 || __atomic_add_fetch(&status->confirmed, 1, __ATOMIC_SEQ_CST) < configure->count) return;
  __atomic_store_n(&status->done, 1, __ATOMIC_SEQ_CST);
  wakeAll(&status->done);
}

/* The kernel gives out watch numbers in order: those that the program has given up are taken and given up again. */
static void opWatch(struct Context* context, struct Op* op) {
  long fd = (long)argument(context, op, 0);
  for (;;) {
    long number = sys3(NR_inotify_add_watch, fd, (long)op->arg[1], (long)op->arg[2]);
    if (number == (long)op->arg[3]) return;
    if (number < 0 || number > (long)op->arg[3]) fail(context, op->step, number);
    sys6(NR_inotify_rm_watch, fd, number, 0, 0, 0, 0);
  }
}

static void opDrain(struct Context* context, struct Op* op) {
  long fd = (long)argument(context, op, 0);
  uint8_t bytes[1024];
  for (;;) {
    int waiting = 0;
    if (sys3(NR_ioctl, fd, 0x541b /* FIONREAD */, (long)&waiting) < 0 || waiting == 0) return;
    if (sys3(NR_read, fd, (long)bytes, sizeof bytes) <= 0) return;
  }
}

static void cloneBody(struct Server* server, struct Request* request);

__attribute__((used)) static void touchMemory(struct Request* request) { prefault(request->fds[FD_EXTRA], 0); }

/* Where a clone goes on; kept behind the zygote's server. */
struct Continuation { struct Context* context; struct Op* next; };
_Static_assert(sizeof(struct Server) + 64 <= APPSHOT_SERVER, "a server and its continuation have to fit");
static struct Continuation* continuationOf(struct Server* server) { return (struct Continuation*)((uint64_t)server + APPSHOT_SERVER - 64); }

static void opServe(struct Context* context, struct Op* op) {
  struct Server* server = (struct Server*)op->arg[1];
  fillZero(server, sizeof *server);
  server->socket = (int)argument(context, op, 0);
  /* The functions' addresses, position independent. */
  ChildBody body;
  __asm__("lea cloneBody(%%rip), %0" : "=r"(body));
  server->body = body;
  Touch touch;
  __asm__("lea touchMemory(%%rip), %0" : "=r"(touch));
  server->touch = touch;
  struct Continuation* continuation = continuationOf(server);
  continuation->context = context;
  continuation->next = op + 1;
  serve(server);
}

/* In a fresh clone: goes on behind OP_SERVE with the clone's own status page and descriptors. */
__attribute__((used)) static void cloneBody(struct Server* server, struct Request* request) {
  struct Context* context = continuationOf(server)->context;
  struct Op* next = continuationOf(server)->next;
  context->task = request->command.rootPid;
  long status = sys6(NR_mmap, (long)context->header->status, APPSHOT_PAGE, 3, 0x11 /* MAP_SHARED|MAP_FIXED */, request->fds[FD_STATUS], 0);
  if (status < 0) sys1(NR_exit_group, 105);
  for (int i = 0; i < APPSHOT_MAX_FDS; i++) context->slots[i] = (uint64_t)(int64_t)request->fds[i];
  context->slots[APPSHOT_MAX_FDS] = (uint64_t)server->socket;
  runTape(context, next);
  sys1(NR_exit_group, 106);
}

static void runTape(struct Context* context, struct Op* op) {
  for (;; op++) {
    if (op->kind == OP_END) return;
    if (op->kind == OP_SYSCALL) opSyscall(context, op);
    else if (op->kind == OP_FORK) opFork(context, op);
    else if (op->kind == OP_THREAD) opThread(context, op);
    else if (op->kind == OP_BARRIER) opBarrier(context, op);
    else if (op->kind == OP_LEAVE) opLeave(context, op);
    else if (op->kind == OP_SERVE) opServe(context, op);
    else if (op->kind == OP_CALL) runTape(context, (struct Op*)op->arg[0]);
    else if (op->kind == OP_MARK) context->status->marks[op->arg[0]] = timeStamp();
    else if (op->kind == OP_COPY) copyBytes(op->arg[0], op->arg[1], op->arg[2]);
    else if (op->kind == OP_UNTIL) while (sys1(op->number, 0) != op->exact) sys1(NR_sched_yield, 0);
    else if (op->kind == OP_WATCH) opWatch(context, op);
    else if (op->kind == OP_DRAIN) opDrain(context, op);
    else if (op->kind == OP_RESEED) sys3(NR_getrandom, (long)op->arg[0], (long)op->arg[1], 0);
    else if (op->kind == OP_VDSO) opVdso(context, op);
    else if (op->kind == OP_LOAD) context->slots[op->out] = (uint64_t)(int64_t)*(int32_t*)op->arg[0];
    else if (op->kind == OP_SET) *(uint64_t*)op->arg[0] = op->arg[1];
    else if (op->kind == OP_STORE) *(uint32_t*)op->arg[0] = (uint32_t)argument(context, op, 1);
    else if (op->kind == OP_GATE) opGate(context, op);
    else if (op->kind == OP_AWAIT) awaitWord((uint32_t*)op->arg[0], (uint32_t)op->arg[1]);
    else if (op->kind == OP_TELL) tellWord((uint32_t*)op->arg[0]);
    else if (op->kind == OP_PREFAULT) prefault((long)argument(context, op, 0), op->arg[1]);
    else if (op->kind == OP_CONFIGURE) opConfigure(context, op);
    else if (op->kind == OP_UFFD_COPY) opUffdCopy(context, op);
    else fail(context, op->step, -38);
  }
}

__attribute__((section(".text.entry"), used)) void restorerEntry(struct RegionHeader* header, uint64_t vdso) {
  struct Context context;
  context.header = header;
  context.status = (struct Status*)header->status;
  context.slots = (uint64_t*)header->slots;
  context.vdso = vdso;
  context.task = (int32_t)header->rootPid;
  context.status->marks[MARK_BORN] = timeStamp();
  runTape(&context, (struct Op*)header->mainTape);
  sys1(NR_exit_group, 107);
}
