/*
 * The parts of the configurator. Each runs as a signal handler would, in a process's first thread, and returns 0 or -1.
 */
#ifndef APPSHOT_CONFIGURATOR_PARTS_H
#define APPSHOT_CONFIGURATOR_PARTS_H

#include "configurator/configurator_page.h"

/* Variables that are not what they were when the program was saved: NAME=value, each ended by a zero byte. */
#define APPSHOT_VARIABLES "/run/appshot/self/environment"

/* Sets them in the program's environment. Without the file there are none. */
int setVariables(void);
/* New random numbers for everything that is found: OpenSSL, GnuTLS, libbsd, random(), drand48(). */
int renewRandomNumbers(void);
/*
 * Looks on while OpenSSL (the one in the global scope) is asked for random numbers, which it gives as before: openSslGave() says whether it
 * was asked for as many bytes at once. False where it cannot be done.
 */
int watchOpenSsl(int least);
int openSslGave(void);
void leaveOpenSsl(void);
/*
 * New random numbers for V8's Math.random and for what Node.js has drawn in advance: at once where the thread `waits` in the event loop,
 * and then what was found of that is told; or where that is known already.
 */
int renewNodejs(int waits, struct DrawnAhead* drawn);
/* Whether this is a JavaScript runtime whose random numbers nobody can renew. */
int isOtherRuntime(void);
/* Has Node.js collect later what garbage there is now: shared with the template it costs nothing. */
void putOffCollections(void);
/* Has the interpreter seed its generators and read the variables before it runs its next line. */
int renewPython(void);
/* Has Ruby's generator take a new seed when it is next asked. */
void renewRuby(void);

/* A function of the program or of one of its libraries, or null. */
void* findFunction(const char* name);

#endif
