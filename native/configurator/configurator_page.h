/*
 * Where the configurator and the restorer meet: one page at a fixed address in every process that has the preloaded library.
 * The address is far from where Linux puts anything by itself.
 */
#ifndef APPSHOT_CONFIGURATOR_PAGE_H
#define APPSHOT_CONFIGURATOR_PAGE_H

#include <stdint.h>

#define APPSHOT_CONFIGURATOR_ADDRESS 0x6a7000000000ull
#define APPSHOT_CONFIGURATOR_MAGIC 0x3247464353505041ull /* "APPSCFG2" */

struct ConfiguratorPage {
  uint64_t magic;
  /*
   * Code that a fresh clone's first thread runs before it goes on, as if a signal had come: rdi is the address of the signal frame
   * of what it goes on with, into which it returns by rt_sigreturn.
   */
  uint64_t entry;
  uint32_t confirmed; /* 0 is set in a fresh clone; 1: done, 2: failed */
  uint32_t unused;
};

#endif
