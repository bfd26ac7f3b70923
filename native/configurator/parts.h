/*
 * The parts of the configurator. Each runs as a signal handler would, in a process's first thread, and returns 0 or -1.
 */
#ifndef APPSHOT_CONFIGURATOR_PARTS_H
#define APPSHOT_CONFIGURATOR_PARTS_H

/* Variables that are not what they were when the program was saved: NAME=value, each ended by a zero byte. */
#define APPSHOT_VARIABLES "/run/appshot/self/environment"

/* Sets them in the program's environment. Without the file there are none. */
int setVariables(void);
/* New random numbers for everything that is found: OpenSSL, GnuTLS, libbsd, random(), drand48(). */
int renewRandomNumbers(void);
/* New random numbers for V8's Math.random and for what Node.js has drawn in advance: at once where the thread `waits` in the event loop. */
int renewNodejs(int waits);
/* Whether this is a JavaScript runtime whose random numbers nobody can renew. */
int isOtherRuntime(void);
/* Has Node.js collect later what garbage there is now: shared with the template it costs nothing. */
void putOffCollections(void);
/* Has the interpreter seed its generators and read the variables before it runs its next line. */
int renewPython(void);

/* A function of the program or of one of its libraries, or null. */
void* findFunction(const char* name);

#endif
