/*
 * When a clone of a Node.js program collects the garbage that it has inherited: not at once.
 *
 * V8 wants to collect garbage when a program has become quiet: eight seconds later, or as many seconds more as it was busy before. In
 * every clone of a template that was taken sooner, it would do so in the seconds after the clone was made: each would move objects, write
 * to every page of its heap, and so have all of it for itself, to get rid of garbage that costs nobody anything as long as it is shared
 * with the template. So the delayed tasks that Node.js has accepted from V8 are put off (docs/adr/0160). A clone that works collects
 * garbage as ever: what it allocates decides that, not the time.
 */
#include <stdint.h>

#include "configurator/parts.h"

/* Of libuv 1, whose ABI has stood since its first release. Where another version has its callback elsewhere, no timer is recognized. */
enum { UV_TIMER = 13, TIMER_CALLBACK = 96 };
enum { LATER_MS = 600000 };

typedef void (*TimerCallback)(void*);

struct Timers {
  TimerCallback runTask; /* what V8's delayed tasks are run by */
  int (*typeOf)(const void*);
  uint64_t (*dueIn)(const void*);
  int (*start)(void*, TimerCallback, uint64_t, uint64_t);
};

static void putOff(void* handle, void* argument) {
  const struct Timers* timers = argument;
  if (timers->typeOf(handle) != UV_TIMER || *(TimerCallback*)((char*)handle + TIMER_CALLBACK) != timers->runTask) return;
  timers->start(handle, timers->runTask, timers->dueIn(handle) + LATER_MS, 0);
}

void putOffCollections(void) {
  void* (*loop)(void) = (void* (*)(void))findFunction("uv_default_loop");
  void (*walk)(void*, void (*)(void*, void*), void*) = (void (*)(void*, void (*)(void*, void*), void*))findFunction("uv_walk");
  struct Timers timers = {
      .runTask = (TimerCallback)findFunction("_ZN4node22PerIsolatePlatformData17RunForegroundTaskEP10uv_timer_s"),
      .typeOf = (int (*)(const void*))findFunction("uv_handle_get_type"),
      .dueIn = (uint64_t(*)(const void*))findFunction("uv_timer_get_due_in"),
      .start = (int (*)(void*, TimerCallback, uint64_t, uint64_t))findFunction("uv_timer_start"),
  };
  if (loop && walk && timers.runTask && timers.typeOf && timers.dueIn && timers.start) walk(loop(), putOff, &timers);
}
