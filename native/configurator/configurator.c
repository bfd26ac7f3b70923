/*
 * The application configurator: preloaded into every program, does nothing until the program is cloned, but for heap_places.c.
 *
 * A clone starts as an exact copy, and so would the random numbers that it gives: session ids, keys, UUIDs. So before its first
 * thread goes on, the restorer lets it run this library's entry, as a signal handler would run: it sets the variables that are
 * the clone's own, renews the random numbers of everything that it finds in the process, and confirms. The keeper gives a clone
 * no traffic before that. A clone that is made in advance has its random numbers renewed then, and its variables set when it is
 * known who it is.
 *
 * No thread waits for this: a program that is never cloned has one page more, and nothing else (ADR 0106). Like a signal handler,
 * the entry must not need a lock that the interrupted code holds; so a template is taken only while that thread waits in the
 * kernel, and a clone that does not confirm in time is ended.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "configurator/configurator_page.h"
#include "configurator/parts.h"

#define PAGE ((struct ConfiguratorPage*)APPSHOT_CONFIGURATOR_ADDRESS)

static int run(uint32_t task) {
  int isFirst = task == CONFIGURATOR_CLONE || task == CONFIGURATOR_AHEAD, isLast = task != CONFIGURATOR_AHEAD;
  if (isLast && setVariables()) return CONFIGURATOR_FAILED;
  if (isFirst && (renewRandomNumbers() || renewNodejs(task == CONFIGURATOR_AHEAD, &PAGE->drawn))) return CONFIGURATOR_FAILED;
  if (isFirst) renewRuby();
  /* From here on the program may draw some. */
  if (isLast) PAGE->drawn.none = 0;
  return isLast && renewPython() ? CONFIGURATOR_FAILED : CONFIGURATOR_CONFIRMED;
}

__attribute__((used)) static void configure(void) {
  int saved = errno;
  int outcome = run(PAGE->task);
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
  if (isOtherRuntime()) return; /* it looks as if this library were not there: what cannot be renewed is not cloned unasked */
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
