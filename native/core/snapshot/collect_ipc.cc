#include "core/snapshot/collect_ipc.h"

#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include <cstring>
#include <sstream>

#include "core/pod/thread_namespace.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

#ifndef MSG_COPY
constexpr int MSG_COPY = 040000;
#endif

union SemaphoreArgument {
  int value;
  semid_ds* status;
  unsigned short* array;
};

IpcObject begin(IpcKind kind, int id, const ipc_perm& permissions) {
  IpcObject object;
  object.kind = static_cast<uint32_t>(kind);
  object.id = id;
  object.key = static_cast<uint32_t>(permissions.__key);
  object.uid = permissions.uid;
  object.gid = permissions.gid;
  object.mode = permissions.mode & 0777;
  return object;
}

// Ids in the second column of /proc/sysvipc/NAME, which shows the IPC namespace of the thread that opens it.
std::vector<int> idsOf(const char* name) {
  std::vector<int> ids;
  std::istringstream lines(readFileIfThere(std::string("/proc/sysvipc/") + name));
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    long key = 0;
    int id = 0;
    std::istringstream fields(line);
    if (fields >> key >> id) ids.push_back(id);
  }
  return ids;
}

bool isZero(const char* page) {
  static const char zeros[kPageSize]{};
  return std::memcmp(page, zeros, kPageSize) == 0;
}

void saveSegment(IpcObject& object, const char* memory, PageWriter& pages) {
  for (uint64_t offset = 0; offset < object.size; offset += kPageSize) {
    if (isZero(memory + offset)) continue;
    bool grows = !object.runs.empty() && object.runs.back().address + object.runs.back().pages * kPageSize == offset;
    if (grows) object.runs.back().pages++;
    else object.runs.push_back({offset, 1, pages.position()});
    pages.append(memory + offset, kPageSize);
  }
}

void collectSegments(State& state, PageWriter& pages) {
  for (int id : idsOf("shm")) {
    shmid_ds status{};
    sys("look at shared memory " + std::to_string(id), [&] { return ::shmctl(id, IPC_STAT, &status); });
    IpcObject object = begin(IpcKind::SharedMemory, id, status.shm_perm);
    object.size = status.shm_segsz;
    object.destroyed = status.shm_perm.mode & 01000;  // SHM_DEST
    void* memory = ::shmat(id, nullptr, SHM_RDONLY);
    if (memory == reinterpret_cast<void*>(-1)) throwErrno("attach shared memory " + std::to_string(id), errno);
    try {
      saveSegment(object, static_cast<const char*>(memory), pages);
    } catch (...) {
      ::shmdt(memory);
      throw;
    }
    ::shmdt(memory);
    state.ipc.push_back(std::move(object));
  }
}

void collectSemaphores(State& state) {
  for (int id : idsOf("sem")) {
    semid_ds status{};
    SemaphoreArgument argument{};
    argument.status = &status;
    sys("look at semaphores " + std::to_string(id), [&] { return ::semctl(id, 0, IPC_STAT, argument); });
    IpcObject object = begin(IpcKind::Semaphores, id, status.sem_perm);
    object.size = status.sem_nsems;
    object.values.resize(object.size);
    argument.array = object.values.data();
    sys("read semaphores " + std::to_string(id), [&] { return ::semctl(id, 0, GETALL, argument); });
    state.ipc.push_back(std::move(object));
  }
}

void collectQueues(State& state) {
  for (int id : idsOf("msg")) {
    msqid_ds status{};
    sys("look at message queue " + std::to_string(id), [&] { return ::msgctl(id, IPC_STAT, &status); });
    IpcObject object = begin(IpcKind::MessageQueue, id, status.msg_perm);
    object.size = status.msg_qbytes;
    std::string buffer(sizeof(long) + status.msg_qbytes, '\0');
    for (long index = 0;; index++) {
      ssize_t n = ::msgrcv(id, buffer.data(), status.msg_qbytes, index, IPC_NOWAIT | MSG_COPY | MSG_NOERROR);
      if (n < 0 && errno == ENOMSG) break;
      if (n < 0) throwErrno("copy a message of queue " + std::to_string(id), errno);
      long type;
      std::memcpy(&type, buffer.data(), sizeof type);
      object.messages.push_back({type, buffer.substr(sizeof(long), static_cast<size_t>(n))});
    }
    state.ipc.push_back(std::move(object));
  }
}

}  // namespace

void collectIpc(const Pod& pod, State& state, PageWriter& pages) {
  InNamespaces inside(pod.initPidfd.get(), CLONE_NEWIPC);
  collectSegments(state, pages);
  collectSemaphores(state);
  collectQueues(state);
}

}  // namespace appshot
