/*
 * Where V8 keeps its heap.
 *
 * Node.js asks for each 256 kB of its heap at a random place of the address space: each with a page of page table of its own and another
 * above it, and a mapping of its own. A fork copies all of them, a clone keeps them, a wake makes each anew. The place is only a wish
 * (mmap(2): "a hint"), so for these reservations it is left to the kernel, which puts one beside the other: half of the page tables of a
 * small program, a seventh of those of a large one (docs/adr/0123). The heap as a whole still lies where the kernel's own
 * randomisation puts it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LARGEST = 4 << 20 }; /* the reservation for code is larger, and has reasons for its place */

static int isNodejs(void) {
  static int known; /* 1 yes, 2 no */
  if (!known) known = dlsym(RTLD_DEFAULT, "node_module_register") ? 1 : 2;
  return known == 1;
}

static int isReservation(int protection, int flags) { return protection == PROT_NONE && flags == (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE); }

/* In the place of the C library's. (Its own memory does not come through here.) */
__attribute__((visibility("default"))) void* mmap64(void* at, size_t bytes, int protection, int flags, int fd, off_t offset) {
  if (at && bytes <= LARGEST && isReservation(protection, flags) && isNodejs()) at = NULL;
  return (void*)syscall(SYS_mmap, at, bytes, protection, flags, fd, offset);
}
