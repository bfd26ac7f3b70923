/*
 * The part that a nursery and a zygote share: waits for a command and makes a new process for it.
 *
 * A process that is to be a child of the pod's init (pid 1), with an exact pid, made by a process outside of the pod:
 *
 *   server --vfork--> W: setns into the pod, time namespace --vfork--> X: in the pod, joins v1 cgroups --fork--> the new process
 *
 * W and X share the server's memory and end at once; the new process is then an orphan inside the pod, so its init adopts it.
 */
#ifndef APPSHOT_RESTORER_SERVE_H
#define APPSHOT_RESTORER_SERVE_H

#include "restorer/sys.h"
#include "restorer/tape.h"

struct Request {
  struct Command command;
  int fds[APPSHOT_MAX_FDS];
  int fdCount;
  volatile long result;
};

struct Server;
/* Runs in the new process and never returns. */
typedef void (*ChildBody)(struct Server*, struct Request*);
typedef void (*Touch)(struct Request*);

struct Server {
  int socket;
  ChildBody body;
  Touch touch;  /* a zygote's: see COMMAND_TOUCH */
  struct Request request;
  uint8_t stackW[4096] __attribute__((aligned(16)));
  uint8_t stackX[8192] __attribute__((aligned(16)));
};

static void* fillZero(void* to, unsigned long bytes) {
  for (volatile uint8_t* at = to; bytes; bytes--) *at++ = 0;
  return to;
}

static void serveX(void* argument) {
  struct Server* server = argument;
  struct Request* request = &server->request;
  for (uint32_t i = 0; i < request->command.v1Count; i++) {
    long n = sys3(NR_write, request->fds[FD_V1 + i], (long)"0", 1);
    if (n < 0) { request->result = n; sys1(NR_exit, 0); }
  }
  int32_t pid = request->command.rootPid;
  struct CloneArgs args;
  fillZero(&args, sizeof args);
  args.flags = request->command.intoCgroup ? K_CLONE_INTO_CGROUP : 0;
  args.exit_signal = 17; /* SIGCHLD */
  args.set_tid = (uint64_t)&pid;
  args.set_tid_size = 1;
  args.cgroup = (uint64_t)request->fds[FD_CGROUP];
  long result = sys3(NR_clone3, (long)&args, sizeof args, 0);
  if (result == 0) server->body(server, request);
  request->result = result;
  sys1(NR_exit, 0);
}

static long cloneBetween(struct Server* server, uint8_t* stack, unsigned long bytes, void (*body)(void*), int32_t* pid) {
  struct CloneArgs args;
  fillZero(&args, sizeof args);
  args.flags = K_CLONE_VM | K_CLONE_VFORK | K_CLONE_FILES;
  args.stack = (uint64_t)stack;
  args.stack_size = bytes;
  args.set_tid = (uint64_t)pid;
  args.set_tid_size = pid ? 1 : 0;
  long child = cloneCall(&args, body, server);
  /* Reaped here, or its pid would keep the pod's pid namespace from ending. __WALL: it has no exit signal. */
  if (child > 0) sys6(NR_wait4, child, 0, 0x40000000, 0, 0, 0);
  return child;
}

static void serveW(void* argument) {
  struct Server* server = argument;
  struct Request* request = &server->request;
  long result = 0;
  if (request->command.timensBytes) {
    result = sys1(NR_unshare, K_CLONE_NEWTIME);
    /* "self" of the node's own /proc: opened before the pod's mount namespace hides it. */
    long file = result < 0 ? result : sys6(NR_openat, request->fds[FD_PROC], (long)"self/timens_offsets", 1, 0, 0, 0);
    if (file >= 0) {
      result = sys3(NR_write, file, (long)request->command.timens, request->command.timensBytes);
      sys1(NR_close, file);
    } else {
      result = file;
    }
  }
  if (result >= 0)
    result = sys3(NR_setns, request->fds[FD_POD],
                  K_CLONE_NEWPID | K_CLONE_NEWNET | K_CLONE_NEWIPC | K_CLONE_NEWUTS | K_CLONE_NEWCGROUP | K_CLONE_NEWNS, 0);
  if (result >= 0) result = cloneBetween(server, server->stackX, sizeof server->stackX, serveX, &request->command.intermediatePid);
  if (result < 0) request->result = result;
  sys1(NR_exit, 0);
}

/* A child of the server's own parent, outside of pods, with the mount namespace of the process in FD_POD. */
static long serveZygote(struct Server* server) {
  struct Request* request = &server->request;
  struct CloneArgs args;
  fillZero(&args, sizeof args);
  args.flags = K_CLONE_PARENT;
  long result = sys3(NR_clone3, (long)&args, sizeof args, 0);
  if (result == 0) server->body(server, request);
  return result;
}

struct IoVector { void* base; unsigned long bytes; };
struct MessageHeader {
  void* name; uint32_t nameBytes; struct IoVector* vectors; unsigned long vectorCount;
  void* control; unsigned long controlBytes; int flags;
};

/* Receives one command with its descriptors. Returns bytes, 0 when the keeper is gone. */
static long receiveCommand(struct Server* server) {
  struct Request* request = &server->request;
  struct { uint64_t bytes; int level, type; int fds[APPSHOT_MAX_FDS]; } control;
  struct IoVector vector = {&request->command, sizeof request->command};
  struct MessageHeader message;
  fillZero(&message, sizeof message);
  message.vectors = &vector;
  message.vectorCount = 1;
  message.control = &control;
  message.controlBytes = sizeof control;
  control.bytes = 0;
  long n = sys3(NR_recvmsg, server->socket, (long)&message, 0x40000000 /* MSG_CMSG_CLOEXEC */);
  request->fdCount = 0;
  for (int i = 0; i < APPSHOT_MAX_FDS; i++) request->fds[i] = -1;
  if (n > 0 && message.controlBytes >= 16 && control.bytes > 16) {
    request->fdCount = (int)((control.bytes - 16) / 4);
    for (int i = 0; i < request->fdCount; i++) request->fds[i] = control.fds[i];
  }
  return n;
}

/* Serves until the keeper closes its end. */
static void serve(struct Server* server) {
  struct Request* request = &server->request;
  for (;;) {
    long n = receiveCommand(server);
    if (n == -4) continue; /* EINTR */
    if (n <= 0) sys1(NR_exit_group, 0);
    request->result = -22;
    if (n == sizeof request->command) {
      if (request->command.kind == COMMAND_ZYGOTE) {
        request->result = serveZygote(server);
      } else if (request->command.kind == COMMAND_TOUCH) {
        if (server->touch) {
          server->touch(request);
          request->result = 1;
        }
      } else {
        long w = cloneBetween(server, server->stackW, sizeof server->stackW, serveW, 0);
        if (w < 0) request->result = w;
      }
    }
    for (int i = 0; i < request->fdCount; i++) sys1(NR_close, request->fds[i]);
    struct Answer answer = {request->result};
    sys3(NR_write, server->socket, (long)&answer, sizeof answer);
  }
}

#endif
