/*
 * The frame of the victims: small programs that set up one kind of state, are snapshotted, restored and cloned from outside,
 * and check themselves whenever they are asked.
 *
 * All are one program, `victims NAME PORT`: it runs the victim's `setup`, then listens on PORT; each connection is answered
 * with "ok" or "bad: WHY" by its `check`, which may be asked any number of times.
 */
#ifndef APPSHOT_VICTIM_H
#define APPSHOT_VICTIM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct victim {
  const char *name;
  void (*setup)(void);
  const char *(*check)(void);  /* NULL when all is as it was, else why not */
  struct victim *next;
};
extern struct victim *victims;

#define VICTIM(id)                                                                  \
  static void setup(void);                                                          \
  static const char *check(void);                                                   \
  static struct victim self = {#id, setup, check, 0};                               \
  __attribute__((constructor)) static void enlist(void) { self.next = victims; victims = &self; }

/* Why a check failed. */
const char *bad(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the program when a call of the setup failed. */
#define MUST(call) ({ __typeof__(call) result_ = (call); if ((long)result_ == -1) { perror(#call); exit(3); } result_; })

/* In a check: returns from it when a condition does not hold. */
#define EXPECT(condition) do { if (!(condition)) return bad("%s (errno %d)", #condition, errno); } while (0)
#define EXPECT_EQUAL(actual, wanted) \
  do { long actual_ = (long)(actual), wanted_ = (long)(wanted); if (actual_ != wanted_) return bad("%s is %ld, not %ld", #actual, actual_, wanted_); } while (0)

/* Memory with a pattern that tells one page from another. */
void paint(void *memory, size_t bytes, unsigned seed);
int painted(const void *memory, size_t bytes, unsigned seed);

void sleep_ms(long ms);
int64_t now_ns(clockid_t clock);

/* A child that answers questions: asked with one byte on a pipe, it runs `answer` and writes back the text (empty: all well). */
struct helper { pid_t pid; int ask, told; };
struct helper start_helper(const char *(*prepare)(void), const char *(*answer)(void));
const char *ask_helper(struct helper *helper);

#endif
