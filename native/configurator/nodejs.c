/*
 * Node.js: V8 keeps the state of Math.random in its heap, and Node.js UUIDs and whole numbers that it drew in advance (128, 1,024).
 *
 * The functions are found by the names that the program exports; where a version has others, nothing is done and the hook of the
 * app file is what is left (docs/clone-safety.md). The thread waits in the event loop's call of the kernel: no script is on its
 * stack, and what V8 has on its heap is whole.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "configurator/parts.h"

typedef void* Isolate;
typedef uintptr_t* Local; /* v8::Local: the address of a tagged pointer */

struct HandleScope { void* room[8]; };

struct V8 {
  Isolate isolate;
  Local (*context)(Isolate);
  /* Versions that have these inside of their callers only offer the others. */
  void (*openScope)(struct HandleScope*, Isolate);
  void (*closeScope)(struct HandleScope*);
  void (*enqueue)(Isolate, void (*)(void*), void*);
  void (*runMicrotasks)(Isolate);
  struct DrawnAhead* drawn; /* what is to be told */
};

static int hasScopes(const struct V8* v8) { return v8->openScope && v8->closeScope; }

static int findV8(struct V8* v8) {
  Isolate (*current)(void) = (Isolate(*)(void))findFunction("_ZN2v87Isolate10GetCurrentEv");
  v8->isolate = current ? current() : NULL;
  v8->context = (Local(*)(Isolate))findFunction("_ZN2v87Isolate17GetCurrentContextEv");
  v8->openScope = (void (*)(struct HandleScope*, Isolate))findFunction("_ZN2v811HandleScopeC1EPNS_7IsolateE");
  v8->closeScope = (void (*)(struct HandleScope*))findFunction("_ZN2v811HandleScopeD1Ev");
  v8->enqueue = (void (*)(Isolate, void (*)(void*), void*))findFunction("_ZN2v87Isolate16EnqueueMicrotaskEPFvPvES1_");
  v8->runMicrotasks = (void (*)(Isolate))findFunction("_ZN2v815MicrotasksScope17PerformCheckpointEPNS_7IsolateE");
  return v8->isolate && v8->context && (hasScopes(v8) || (v8->enqueue && v8->runMicrotasks));
}

/* With room for handles around it: of its own, or that which a microtask has (Node.js 26; none of the program's waits while it rests). */
static void inScope(struct V8* v8, void (*work)(void* v8)) {
  if (hasScopes(v8)) {
    struct HandleScope scope;
    v8->openScope(&scope, v8->isolate);
    work(v8);
    v8->closeScope(&scope);
  } else {
    v8->enqueue(v8->isolate, work, v8);
    v8->runMicrotasks(v8->isolate);
  }
}

/* Tagged values, as V8 has them on 64 bits: a pointer is odd, a small integer in the upper half. */
#define SMI(number) ((uintptr_t)(number) << 32)
#define IS_POINTER(value) (((value) & 3) == 1 && (value) > 4096)
enum { CACHED_NUMBERS = 64, STATE_BYTES = 16, CONTEXT_SLOTS = 240 };

static const uintptr_t* objectAt(uintptr_t tagged) { return (const uintptr_t*)(tagged - 1); }

static int isCache(uintptr_t tagged) {
  if (!IS_POINTER(tagged) || objectAt(tagged)[1] != SMI(CACHED_NUMBERS)) return 0;
  const double* numbers = (const double*)(objectAt(tagged) + 2);
  for (int i = 0; i < CACHED_NUMBERS; i++)
    if (!(numbers[i] >= 0 && numbers[i] < 1)) return 0;
  return 1;
}

/*
 * What Math.random has stands in three neighbouring slots of the context: how many numbers are left of those drawn in advance, the
 * state that they came from, and they. They are known by what they are: their place differs between versions. None left and another
 * state, that is all.
 */
static void renewMathRandom(void* found) {
  struct V8* v8 = found;
  Local context = v8->context(v8->isolate);
  if (!context) return;
  uintptr_t* slots = (uintptr_t*)objectAt(*context);
  uintptr_t length = slots[1] >> 32;
  if (length < CONTEXT_SLOTS / 2 || length > CONTEXT_SLOTS * 8) return;
  for (uintptr_t i = 2; i + 2 < length; i++) {
    int isLeft = (uint32_t)slots[i] == 0 && slots[i] <= SMI(CACHED_NUMBERS);
    if (!isLeft || !IS_POINTER(slots[i + 1]) || objectAt(slots[i + 1])[1] != SMI(STATE_BYTES) || !isCache(slots[i + 2])) continue;
    uint64_t state[2];
    if (getrandom(state, sizeof state, 0) != sizeof state) return;
    memcpy((void*)(objectAt(slots[i + 1]) + 2), state, sizeof state);
    slots[i] = SMI(0);
    return;
  }
}

/* What the state of a context that is yet to be made comes from, where a version tells where it is. */
static int seedGenerator(Isolate isolate) {
  void* (*generator)(Isolate) = (void* (*)(Isolate))findFunction("_ZN2v88internal7Isolate23random_number_generatorEv");
  void (*seed)(void*, int64_t) = (void (*)(void*, int64_t))findFunction("_ZN2v84base21RandomNumberGenerator7SetSeedEl");
  if (!generator || !seed) return 0;
  int64_t number;
  if (getrandom(&number, sizeof number, 0) != sizeof number) return -1;
  seed(generator(isolate), number);
  return 0;
}

/* Draws as many of one kind, where there may be any that were drawn in advance. */
static const char kDraw[] =
    "(() => { try {"
    "  if (!process.moduleLoadList.some((name) => name.endsWith(' internal/crypto/random'))) return;"
    "  const crypto = process.getBuiltinModule?.('crypto') ?? process.mainModule?.require('crypto');"
    "  for (let i = 0; i < %d; i++) crypto?.%s;"
    "} catch {} })()";

/* How many Node.js draws at once, and how few bytes that can be. */
static const struct { const char* call; int count; } kKinds[] = {{"randomUUID()", 128}, {"randomInt(2)", 1024}};
enum { DRAWN_KINDS = 2, LEAST_BYTES = 1024 };

/* Whether a script of the program is being run further up the stack: then none may run before it has returned to the loop. */
static int runsScript(struct V8* v8) {
  Local (*trace)(Isolate, int, int) = (Local(*)(Isolate, int, int))findFunction("_ZN2v810StackTrace17CurrentStackTraceEPNS_7IsolateEiNS0_17StackTraceOptionsE");
  int (*frames)(Local) = (int (*)(Local))findFunction("_ZNK2v810StackTrace13GetFrameCountEv");
  if (!trace || !frames || !hasScopes(v8)) return 1;
  struct HandleScope scope;
  v8->openScope(&scope, v8->isolate);
  Local found = trace(v8->isolate, 1, 0);
  int runs = !found || frames(found) > 0;
  v8->closeScope(&scope);
  return runs;
}

static void draw(const struct V8* v8, int kind, int count) {
  Local (*text)(Isolate, const char*, int, int) = (Local(*)(Isolate, const char*, int, int))findFunction("_ZN2v86String11NewFromUtf8EPNS_7IsolateEPKcNS_13NewStringTypeEi");
  Local (*compile)(Local, Local, void*) = (Local(*)(Local, Local, void*))findFunction("_ZN2v86Script7CompileENS_5LocalINS_7ContextEEENS1_INS_6StringEEEPNS_12ScriptOriginE");
  Local (*run)(Local, Local) = (Local(*)(Local, Local))findFunction("_ZN2v86Script3RunENS_5LocalINS_7ContextEEE");
  if (!text || !compile || !run) return;
  char script[sizeof kDraw + 32];
  snprintf(script, sizeof script, kDraw, count, kKinds[kind].call);
  Local context = v8->context(v8->isolate);
  Local source = context ? text(v8->isolate, script, 0, -1) : NULL;
  Local compiled = source ? compile(context, source, NULL) : NULL;
  if (compiled) run(compiled, context);
}

/* Uses up what was drawn in advance, so that it is filled anew. */
static void drain(void* v8) {
  for (int kind = 0; kind < DRAWN_KINDS; kind++) draw(v8, kind, kKinds[kind].count);
}

/*
 * Whether nothing was left of it: the first of each kind is a new one. Draws no more than that: where the other threads are held, V8 must not
 * want anything of them, as it does after a thousand calls (a thread that signals to held ones may wait for them, and they for it).
 */
static void look(void* found) {
  struct V8* v8 = found;
  for (int kind = 0; kind < DRAWN_KINDS; kind++) {
    if (!watchOpenSsl(LEAST_BYTES)) return;
    draw(v8, kind, 1);
    leaveOpenSsl();
    if (!openSslGave()) return;
  }
  v8->drawn->none = 1;
}

static void renewOnLoop(void* found) {
  if (!hasScopes(found)) renewMathRandom(found);
  drain(found);
}

static void onLoop(void* handle) {
  void (*closeHandle)(void*, void (*)(void*)) = (void (*)(void*, void (*)(void*)))findFunction("uv_close");
  struct V8 v8;
  if (findV8(&v8)) inScope(&v8, renewOnLoop);
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

/* Bun, Deno: they keep random numbers of their own, and offer no way to them. What they have in common with Node.js is Node-API. */
int isOtherRuntime(void) { return findFunction("napi_module_register") && !findFunction("_ZN4node5StartEiPPc"); }

int renewNodejs(int waits, struct DrawnAhead* drawn) {
  struct V8 v8;
  if (!findFunction("node_module_register") || !findV8(&v8)) return 0;
  if (seedGenerator(v8.isolate)) return -1;
  if (hasScopes(&v8)) inScope(&v8, renewMathRandom);
  putOffCollections();
  if (drawn->none) return 0;
  if (!waits || runsScript(&v8)) return leaveForTheLoop();
  v8.drawn = drawn;
  inScope(&v8, look);
  return drawn->none ? 0 : leaveForTheLoop();
}
