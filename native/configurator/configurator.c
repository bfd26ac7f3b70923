/*
 * The application configurator: preloaded into every program, does nothing until the program is cloned.
 *
 * A clone starts as an exact copy, and so would the random numbers that it gives: session ids, keys, UUIDs. So before its first
 * thread goes on, the restorer lets it run this library's entry, as a signal handler would run: it mixes new entropy into every
 * OpenSSL of the process (whose generators notice a fork only by another pid, and a clone keeps its pid) and confirms. The keeper
 * gives a clone no traffic before that.
 *
 * No thread waits for this: a program that is never cloned has one page more, and nothing else. Like a signal handler, the entry
 * must not need a lock that the interrupted code holds; so a template is taken only while that thread waits in the kernel.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "configurator/configurator_page.h"

#define PAGE ((struct ConfiguratorPage*)APPSHOT_CONFIGURATOR_ADDRESS)

enum { ENTROPY_BYTES = 48, MAX_LIBRARIES = 16, CONFIRMED = 1, FAILED = 2 };

typedef void (*RandAdd)(const void* bytes, int count, double entropy);

struct Generators {
  RandAdd add[MAX_LIBRARIES];
  int count;
};

static void addGenerator(struct Generators* generators, RandAdd add) {
  if (!add) return;
  for (int i = 0; i < generators->count; i++)
    if (generators->add[i] == add) return;
  if (generators->count < MAX_LIBRARIES) generators->add[generators->count++] = add;
}

/* Libraries that were loaded privately (a Python extension's libcrypto) do not show in the global scope. */
static int lookInLibrary(struct dl_phdr_info* library, size_t bytes, void* to) {
  (void)bytes;
  if (!library->dlpi_name || !strstr(library->dlpi_name, "crypto")) return 0;
  void* handle = dlopen(library->dlpi_name, RTLD_NOLOAD | RTLD_LAZY);
  if (!handle) return 0;
  addGenerator(to, (RandAdd)dlsym(handle, "RAND_add"));
  dlclose(handle);
  return 0;
}

static int reseed(void) {
  unsigned char entropy[ENTROPY_BYTES];
  struct Generators generators = {{0}, 0};
  addGenerator(&generators, (RandAdd)dlsym(RTLD_DEFAULT, "RAND_add"));
  dl_iterate_phdr(lookInLibrary, &generators);
  for (int i = 0; i < generators.count; i++) {
    if (getrandom(entropy, sizeof entropy, 0) != sizeof entropy) return FAILED;
    generators.add[i](entropy, sizeof entropy, sizeof entropy);
  }
  explicit_bzero(entropy, sizeof entropy);
  return CONFIRMED;
}

__attribute__((used)) static void configure(void) {
  int saved = errno;
  int outcome = reseed();
  errno = saved;
  __atomic_store_n(&PAGE->confirmed, (uint32_t)outcome, __ATOMIC_RELEASE);
}

/* The frame's first word is a return address that rt_sigreturn does not want: the stack pointer goes behind it. */
void appshotConfiguratorEntry(void);
__asm__(
    ".text\n"
    ".hidden appshotConfiguratorEntry\n"
    ".globl appshotConfiguratorEntry\n"
    "appshotConfiguratorEntry:\n"
    "  mov %rdi, %r12\n"
    "  and $-16, %rsp\n"
    "  call configure\n"
    "  lea 8(%r12), %rsp\n"
    "  mov $15, %eax\n"
    "  syscall\n"
    "  ud2\n");

__attribute__((constructor)) static void begin(void) {
  int saved = errno;
  void* at = mmap((void*)APPSHOT_CONFIGURATOR_ADDRESS, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (at == (void*)APPSHOT_CONFIGURATOR_ADDRESS) {
    PAGE->entry = (uint64_t)appshotConfiguratorEntry;
    PAGE->magic = APPSHOT_CONFIGURATOR_MAGIC;
  } else if (at != MAP_FAILED) {
    munmap(at, 4096); /* a kernel without MAP_FIXED_NOREPLACE took the address for a hint */
  }
  errno = saved;
}
