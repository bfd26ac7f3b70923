/*
 * Where the configurator and the restorer meet: one page at a fixed address in every process that has the preloaded library.
 * The address is far from where Linux puts anything by itself.
 */
#ifndef APPSHOT_CONFIGURATOR_PAGE_H
#define APPSHOT_CONFIGURATOR_PAGE_H

#include <stdint.h>

#define APPSHOT_CONFIGURATOR_ADDRESS 0x6a7000000000ull
#define APPSHOT_CONFIGURATOR_MAGIC 0x3347464353505041ull /* "APPSCFG3" */

enum { CONFIGURATOR_CONFIRMED = 1, CONFIGURATOR_FAILED = 2 };
/*
 * What there is to do: all of it in a clone; what needs no variables, in one that is nobody yet; the rest when it is somebody, and
 * in an instance that comes back.
 */
enum { CONFIGURATOR_CLONE = 1, CONFIGURATOR_VARIABLES = 2, CONFIGURATOR_AHEAD = 3 };

/*
 * What the first clone of a template has found of what the program drew in advance (UUIDs, whole numbers), and the keeper tells all others
 * through the memory that they are forked from: to find it out scripts have to run, which costs a clone a third of a megabyte.
 */
struct DrawnAhead {
  uint64_t none; /* 1: nothing is left of it, the next ones will be new ones; forgotten when the clone runs */
};

struct ConfiguratorPage {
  uint64_t magic;
  /*
   * Code that a process's first thread runs before it goes on, as if a signal had come: rdi is the address of the signal frame
   * of what it goes on with, into which it returns by rt_sigreturn.
   */
  uint64_t entry;
  uint32_t confirmed; /* the restorer sets 0; CONFIGURATOR_CONFIRMED or _FAILED when it has run */
  uint32_t task;
  struct DrawnAhead drawn;
};

#endif
