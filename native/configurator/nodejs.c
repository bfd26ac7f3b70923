/*
 * Node.js: V8 keeps the state of Math.random in its heap, and Node.js 128 UUIDs that it drew in advance.
 *
 * The functions are found by the names that the program exports; where a version has others, nothing is done and the hook of the
 * app file is what is left (docs/clone-safety.md). The thread waits in the event loop's call of the kernel: no script is on its
 * stack, and what V8 has on its heap is whole.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

#include "configurator/parts.h"

typedef void* Isolate;
typedef uintptr_t* Local; /* v8::Local: the address of a tagged pointer */

struct HandleScope { void* room[8]; };

struct V8 {
  Isolate (*current)(void);
  Local (*context)(Isolate);
  void (*openScope)(struct HandleScope*, Isolate);
  void (*closeScope)(struct HandleScope*);
};

static int findV8(struct V8* v8) {
  v8->current = (Isolate(*)(void))findFunction("_ZN2v87Isolate10GetCurrentEv");
  v8->context = (Local(*)(Isolate))findFunction("_ZN2v87Isolate17GetCurrentContextEv");
  v8->openScope = (void (*)(struct HandleScope*, Isolate))findFunction("_ZN2v811HandleScopeC1EPNS_7IsolateE");
  v8->closeScope = (void (*)(struct HandleScope*))findFunction("_ZN2v811HandleScopeD1Ev");
  return v8->current && v8->context && v8->openScope && v8->closeScope;
}

/* Forgets the numbers that were drawn in advance and the state that they came from, after seeding what the next state comes from. */
static int renewMathRandom(const struct V8* v8, Isolate isolate) {
  void* (*generator)(Isolate) = (void* (*)(Isolate))findFunction("_ZN2v88internal7Isolate23random_number_generatorEv");
  void (*seed)(void*, int64_t) = (void (*)(void*, int64_t))findFunction("_ZN2v84base21RandomNumberGenerator7SetSeedEl");
  void (*reset)(uintptr_t) = (void (*)(uintptr_t))findFunction("_ZN2v88internal10MathRandom12ResetContextENS0_7ContextE");
  if (!reset) reset = (void (*)(uintptr_t))findFunction("_ZN2v88internal10MathRandom12ResetContextENS0_6TaggedINS0_7ContextEEE");
  if (!generator || !seed || !reset) return 0;
  int64_t number;
  if (getrandom(&number, sizeof number, 0) != sizeof number) return -1;
  struct HandleScope scope;
  v8->openScope(&scope, isolate);
  Local context = v8->context(isolate);
  if (context) {
    seed(generator(isolate), number);
    reset(*context);
  }
  v8->closeScope(&scope);
  return 0;
}

/* Draws until the cache of UUIDs is filled anew, where there is one. */
static const char kDrainUuids[] =
    "(() => { try {"
    "  if (!process.moduleLoadList.some((name) => name.endsWith(' internal/crypto/random'))) return;"
    "  const crypto = process.getBuiltinModule?.('crypto') ?? process.mainModule?.require('crypto');"
    "  for (let i = 0; i < 128; i++) crypto?.randomUUID();"
    "} catch {} })()";

/* Whether a script of the program is being run further up the stack: then none may run before it has returned to the loop. */
static int runsScript(Isolate isolate) {
  Local (*trace)(Isolate, int, int) = (Local(*)(Isolate, int, int))findFunction("_ZN2v810StackTrace17CurrentStackTraceEPNS_7IsolateEiNS0_17StackTraceOptionsE");
  int (*frames)(Local) = (int (*)(Local))findFunction("_ZNK2v810StackTrace13GetFrameCountEv");
  struct V8 v8;
  if (!trace || !frames || !findV8(&v8)) return 1;
  struct HandleScope scope;
  v8.openScope(&scope, isolate);
  Local found = trace(isolate, 1, 0);
  int runs = !found || frames(found) > 0;
  v8.closeScope(&scope);
  return runs;
}

static void drainUuids(void) {
  struct V8 v8;
  Local (*text)(Isolate, const char*, int, int) = (Local(*)(Isolate, const char*, int, int))findFunction("_ZN2v86String11NewFromUtf8EPNS_7IsolateEPKcNS_13NewStringTypeEi");
  Local (*compile)(Local, Local, void*) = (Local(*)(Local, Local, void*))findFunction("_ZN2v86Script7CompileENS_5LocalINS_7ContextEEENS1_INS_6StringEEEPNS_12ScriptOriginE");
  Local (*run)(Local, Local) = (Local(*)(Local, Local))findFunction("_ZN2v86Script3RunENS_5LocalINS_7ContextEEE");
  Isolate isolate = findV8(&v8) ? v8.current() : NULL;
  if (isolate && text && compile && run) {
    struct HandleScope scope;
    v8.openScope(&scope, isolate);
    Local context = v8.context(isolate);
    Local source = context ? text(isolate, kDrainUuids, 0, -1) : NULL;
    Local script = source ? compile(context, source, NULL) : NULL;
    if (script) run(script, context);
    v8.closeScope(&scope);
  }
}

static void onLoop(void* handle) {
  void (*closeHandle)(void*, void (*)(void*)) = (void (*)(void*, void (*)(void*)))findFunction("uv_close");
  drainUuids();
  if (closeHandle) closeHandle(handle, free);
}

/* Before the loop looks at anything that comes later. */
static int leaveForTheLoop(void) {
  void* (*loop)(void) = (void* (*)(void))findFunction("uv_default_loop");
  int (*begin)(void*, void*, void (*)(void*)) = (int (*)(void*, void*, void (*)(void*)))findFunction("uv_async_init");
  int (*send)(void*) = (int (*)(void*))findFunction("uv_async_send");
  size_t (*bytes)(int) = (size_t(*)(int))findFunction("uv_handle_size");
  if (!loop || !begin || !send || !bytes) return 0;
  void* handle = calloc(1, bytes(1 /* UV_ASYNC */));
  if (!handle || begin(loop(), handle, onLoop)) return -1;
  return send(handle) ? -1 : 0;
}

int renewNodejs(int waits) {
  struct V8 v8;
  if (!findFunction("node_module_register") || !findV8(&v8)) return 0;
  Isolate isolate = v8.current();
  if (!isolate) return 0;
  if (renewMathRandom(&v8, isolate)) return -1;
  putOffCollections();
  if (!waits || runsScript(isolate)) return leaveForTheLoop();
  drainUuids();
  return 0;
}
