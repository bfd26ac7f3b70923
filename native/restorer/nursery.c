/*
 * The nursery: an empty process, tiny and always ready, that the keeper asks for new ones. Descriptor 3 is its socket.
 * A new process maps the region that came with the command and jumps into it; from there on it is the tape's.
 */
#include "restorer/serve.h"

static struct Server theServer;
static uint64_t vdsoAddress;

static void enterRegion(struct Server* server, struct Request* request) {
  struct Command* command = &request->command;
  uint64_t base = command->regionBase;
  /* MAP_PRIVATE|MAP_FIXED_NOREPLACE */
  long mapped = sys6(NR_mmap, (long)base, (long)command->regionSize, 7, 0x100002, request->fds[FD_TAPE], 0);
  if (mapped != (long)base) sys1(NR_exit_group, 101);
  struct RegionHeader* header = (struct RegionHeader*)command->header;
  /* MAP_SHARED|MAP_FIXED, over its place in the region */
  long status = sys6(NR_mmap, (long)header->status, APPSHOT_PAGE, 3, 0x11, request->fds[FD_STATUS], 0);
  if (status != (long)header->status) sys1(NR_exit_group, 102);
  uint64_t* slots = (uint64_t*)header->slots;
  for (int i = 0; i < APPSHOT_MAX_FDS; i++) slots[i] = (uint64_t)(int64_t)request->fds[i];
  if (command->kind == COMMAND_ZYGOTE) sys3(NR_setns, request->fds[FD_POD], K_CLONE_NEWNS, 0);
  sys1(NR_close, server->socket);
  void (*run)(struct RegionHeader*, uint64_t) = (void (*)(struct RegionHeader*, uint64_t))header->code;
  /* Off this program's stack: the tape unmaps it. */
  __asm__ volatile("mov %0, %%rsp\n\txor %%ebp, %%ebp\n\tcall *%1\n\tud2" : : "r"(header->stackTop), "r"(run), "D"(header), "S"(vdsoAddress) : "memory");
  __builtin_unreachable();
}

__attribute__((used)) static void nursery(uint64_t* stack) {
  uint64_t argc = stack[0];
  uint64_t* at = stack + 1 + argc + 1;
  while (*at) at++; /* environment */
  for (at++; at[0]; at += 2)
    if (at[0] == 33 /* AT_SYSINFO_EHDR */) vdsoAddress = at[1];
  uint64_t all = ~0ull;
  sys6(NR_rt_sigprocmask, 2, (long)&all, 0, 8, 0, 0);
  /* What the keeper ignores would be ignored by every program. The C library keeps its own two signals from us, and ignores one. */
  uint64_t usual[4] = {0, 0, 0, 0};
  for (long number = 1; number <= 64; number++) sys6(NR_rt_sigaction, number, (long)usual, 0, 8, 0, 0);
  /* No program of an instance has a capability that it could get by executing a file; each call of those takes microseconds. */
  for (long capability = 0; capability < 64; capability++) sys6(NR_prctl, 24 /* PR_CAPBSET_DROP */, capability, 0, 0, 0, 0);
  theServer.socket = 3;
  theServer.body = enterRegion;
  serve(&theServer);
}

__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall nursery\n\tud2\n");
