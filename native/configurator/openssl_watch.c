/* OpenSSL lets a program put a generator of its own in the place of the usual one (RAND_set_rand_method(3)): one that looks on. */
#include <stddef.h>

#include "configurator/parts.h"

/* openssl/rand.h, since 1.1 */
struct Method {
  int (*seed)(const void*, int);
  int (*bytes)(unsigned char*, int);
  void (*cleanup)(void);
  int (*add)(const void*, int, double);
  int (*pseudorand)(unsigned char*, int);
  int (*status)(void);
};

static const struct Method* usual;
static struct Method watched;
static int wanted, gave;

static int (*setMethod(void))(const struct Method*) { return (int (*)(const struct Method*))findFunction("RAND_set_rand_method"); }

static int giveBytes(unsigned char* to, int count) {
  if (count >= wanted) gave = 1;
  return usual->bytes(to, count);
}

int watchOpenSsl(int least) {
  const struct Method* (*get)(void) = (const struct Method* (*)(void))findFunction("RAND_get_rand_method");
  const struct Method* found = get && setMethod() ? get() : NULL;
  if (!found || !found->bytes) return 0;
  wanted = least;
  gave = 0;
  watched = *found;
  watched.bytes = giveBytes;
  usual = found;
  return setMethod()(&watched) == 1;
}

int openSslGave(void) { return gave; }

void leaveOpenSsl(void) { setMethod()(usual); }
