#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "core/image/image.h"
#include "core/restore/compile.h"
#include "core/restore/lazy_memory.h"

namespace appshot {

namespace {

// The next object of this kind gets the old id.
void askForId(Compiler& compiler, Tape& tape, const char* kind, int32_t id) {
  std::string path = std::string("sys/kernel/") + kind + "_next_id", text = std::to_string(id);
  Slot file = tape.call("ask for an old IPC id", SYS_openat, {compiler.proc, compiler.region.add(path), O_WRONLY | O_CLOEXEC, 0}, true);
  tape.call("ask for an old IPC id", SYS_write, {file, compiler.region.add(text), text.size()});
  tape.call("ask for an old IPC id", SYS_close, {file});
}

template <typename Status>
uint64_t ownership(Compiler& compiler, const IpcObject& object, ipc_perm Status::*permissions, Status status = {}) {
  (status.*permissions).uid = object.uid;
  (status.*permissions).gid = object.gid;
  (status.*permissions).mode = static_cast<decltype((status.*permissions).mode)>(object.mode);
  return compiler.region.add(&status, sizeof status);
}

void restoreSegment(Compiler& compiler, Tape& tape, const IpcObject& object) {
  askForId(compiler, tape, "shm", object.id);
  tape.callExact("make shared memory with its old id", SYS_shmget, {object.key, object.size, IPC_CREAT | IPC_EXCL | 0600}, static_cast<uint64_t>(object.id));
  if (!object.runs.empty()) {
    uint64_t window = compiler.region.base() + kPagesOffset;
    tape.callExact("attach shared memory", SYS_shmat, {object.id, window, 0}, window);
    for (const PageRun& run : object.runs) {
      uint64_t size = run.pages * kPageSize;
      iovec place{reinterpret_cast<void*>(window + run.address), size};
      tape.callExact("fill shared memory", SYS_preadv, {compiler.pages, compiler.region.add(&place, sizeof place), 1, run.position, 0}, size);
    }
    tape.call("detach shared memory", SYS_shmdt, {window});
  }
  tape.call("own shared memory", SYS_shmctl, {object.id, IPC_SET, ownership(compiler, object, &shmid_ds::shm_perm)});
}

void restoreSemaphores(Compiler& compiler, Tape& tape, const IpcObject& object) {
  askForId(compiler, tape, "sem", object.id);
  tape.callExact("make semaphores with their old id", SYS_semget, {object.key, object.size, IPC_CREAT | IPC_EXCL | 0600}, static_cast<uint64_t>(object.id));
  tape.call("set semaphores", SYS_semctl, {object.id, 0, SETALL, compiler.region.addTable(object.values)});
  tape.call("own semaphores", SYS_semctl, {object.id, 0, IPC_SET, ownership(compiler, object, &semid_ds::sem_perm)});
}

void restoreQueue(Compiler& compiler, Tape& tape, const IpcObject& object) {
  askForId(compiler, tape, "msg", object.id);
  tape.callExact("make a message queue with its old id", SYS_msgget, {object.key, IPC_CREAT | IPC_EXCL | 0600}, static_cast<uint64_t>(object.id));
  for (const IpcMessage& message : object.messages) {
    std::string bytes(reinterpret_cast<const char*>(&message.type), sizeof message.type);
    bytes += message.bytes;
    tape.call("refill a message queue", SYS_msgsnd, {object.id, compiler.region.add(bytes.data(), bytes.size()), message.bytes.size(), IPC_NOWAIT});
  }
  msqid_ds status{};
  status.msg_qbytes = object.size;
  tape.call("own a message queue", SYS_msgctl, {object.id, IPC_SET, ownership(compiler, object, &msqid_ds::msg_perm, status)});
}

}  // namespace

void compileIpc(Compiler& compiler, Tape& tape) {
  for (uint32_t index = 0; index < compiler.state.ipc.size(); index++) {
    const IpcObject& object = compiler.state.ipc[index];
    switch (static_cast<IpcKind>(object.kind)) {
      case IpcKind::SharedMemory: restoreSegment(compiler, tape, object); break;
      case IpcKind::Semaphores: restoreSemaphores(compiler, tape, object); break;
      case IpcKind::MessageQueue: restoreQueue(compiler, tape, object); break;
      case IpcKind::PosixQueue: compileQueue(compiler, tape, index); break;
    }
  }
}

void compileIpcRemovals(Compiler& compiler, Tape& tape) {
  for (const IpcObject& object : compiler.state.ipc)
    if (object.destroyed && object.kind == static_cast<uint32_t>(IpcKind::SharedMemory)) tape.attempt("mark shared memory for removal", SYS_shmctl, {object.id, IPC_RMID, 0});
}

}  // namespace appshot
