#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "configurator/parts.h"

enum { ENTROPY_BYTES = 48, MAX_LIBRARIES = 16 };

typedef void (*RandAdd)(const void* bytes, int count, double entropy);

struct Generators {
  RandAdd add[MAX_LIBRARIES];
  int count;
};

void* findFunction(const char* name) { return dlsym(RTLD_DEFAULT, name); }

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

static int entropy(void* to, size_t bytes) { return getrandom(to, bytes, 0) == (ssize_t)bytes ? 0 : -1; }

/* Of every form of it: a library, or linked into the program, as in node. */
static int renewOpenSsl(void) {
  unsigned char bytes[ENTROPY_BYTES];
  struct Generators generators = {{0}, 0};
  addGenerator(&generators, (RandAdd)findFunction("RAND_add"));
  dl_iterate_phdr(lookInLibrary, &generators);
  for (int i = 0; i < generators.count; i++) {
    if (entropy(bytes, sizeof bytes)) return -1;
    generators.add[i](bytes, sizeof bytes, sizeof bytes);
  }
  explicit_bzero(bytes, sizeof bytes);
  return 0;
}

/* glibc's own arc4random asks the kernel each time, or keeps its state in memory that is emptied in a clone. */
static void renewLibraries(void) {
  static const char* const kNames[] = {"arc4random_stir" /* libbsd */, "gnutls_rnd_refresh"};
  for (size_t i = 0; i < sizeof kNames / sizeof *kNames; i++) {
    void (*renew)(void) = (void (*)(void))findFunction(kNames[i]);
    if (renew) renew();
  }
}

static int renewLibc(void) {
  struct { unsigned seed; unsigned short seed48[3]; } seeds;
  if (entropy(&seeds, sizeof seeds)) return -1;
  srandom(seeds.seed); /* rand() draws from the same */
  seed48(seeds.seed48);
  return 0;
}

int renewRandomNumbers(void) {
  if (renewOpenSsl()) return -1;
  renewLibraries();
  return renewLibc();
}
