/* System calls of the freestanding restorer: no libc, no errno, no thread-local storage. */
#ifndef APPSHOT_RESTORER_SYS_H
#define APPSHOT_RESTORER_SYS_H

#include <stdint.h>

static inline long sys6(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return result;
}
static inline long sys3(long number, long a, long b, long c) { return sys6(number, a, b, c, 0, 0, 0); }
static inline long sys1(long number, long a) { return sys6(number, a, 0, 0, 0, 0, 0); }

enum {
  NR_read = 0, NR_close = 3, NR_write = 1, NR_mmap = 9, NR_munmap = 11, NR_rt_sigaction = 13, NR_rt_sigprocmask = 14, NR_ioctl = 16, NR_sched_yield = 24, NR_mremap = 25,
  NR_recvmsg = 47, NR_sendmsg = 46, NR_exit = 60, NR_wait4 = 61, NR_futex = 202, NR_exit_group = 231, NR_openat = 257,
  NR_unshare = 272, NR_setns = 308, NR_getrandom = 318, NR_clone3 = 435, NR_prctl = 157, NR_pread64 = 17,
  NR_madvise = 28, NR_inotify_add_watch = 254, NR_inotify_rm_watch = 255,
};

/* uapi struct clone_args, version 2 */
struct CloneArgs {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

enum {
  K_CLONE_VM = 0x100, K_CLONE_FS = 0x200, K_CLONE_FILES = 0x400, K_CLONE_SIGHAND = 0x800, K_CLONE_VFORK = 0x4000, K_CLONE_PARENT = 0x8000,
  K_CLONE_THREAD = 0x10000, K_CLONE_NEWNS = 0x20000, K_CLONE_SYSVSEM = 0x40000, K_CLONE_NEWCGROUP = 0x2000000, K_CLONE_NEWUTS = 0x4000000,
  K_CLONE_NEWIPC = 0x8000000, K_CLONE_NEWPID = 0x20000000, K_CLONE_NEWNET = 0x40000000, K_CLONE_NEWTIME = 0x80,
};
#define K_CLONE_INTO_CGROUP 0x200000000ull

/*
 * clone3 whose child calls fn(argument) on the stack given in `args` and must never return from it.
 * With CLONE_VFORK the caller waits; a separate stack keeps its frame whole although memory is shared.
 */
static inline long cloneCall(struct CloneArgs* args, void (*fn)(void*), void* argument) {
  long result;
  register void (*r8)(void*) __asm__("r8") = fn;
  register void* r9 __asm__("r9") = argument;
  __asm__ volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r9, %%rdi\n\t"
      "and $-16, %%rsp\n\t"
      "call *%%r8\n\t"
      "ud2\n"
      "1:"
      : "=a"(result)
      : "a"((long)NR_clone3), "D"(args), "S"((long)sizeof *args), "r"(r8), "r"(r9)
      : "rcx", "r11", "memory");
  return result;
}

static inline uint64_t timeStamp(void) {
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t)high << 32 | low;
}

#endif
