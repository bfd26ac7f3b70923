#include "core/snapshot/collect_queues.h"

#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "core/pod/thread_namespace.h"
#include "core/snapshot/descriptor_info.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

UniqueFd openQueue(const std::string& path) {
  return sysFd("open message queue " + path, [&] { return ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC); });
}

IpcObject describeOpened(const std::string& what, const std::string& link, int queue) {
  IpcObject object;
  object.kind = static_cast<uint32_t>(IpcKind::PosixQueue);
  object.destroyed = endsWith(link, kDeletedMark);
  object.name = object.destroyed ? link.substr(0, link.size() - kDeletedMark.size()) : link;
  char text[128]{};
  ssize_t n = ::read(queue, text, sizeof text - 1);
  int owner = 0;
  const char* notified = n > 0 ? std::strstr(text, "NOTIFY_PID:") : nullptr;
  // What it is to be told with is not shown.
  if (notified && std::sscanf(notified, "NOTIFY_PID:%d", &owner) == 1 && owner != 0)
    throw Error("unsupported-state", what + " is the POSIX message queue " + object.name + ", of which a process is notified; not supported");
  struct stat status{};
  sys("look at message queue " + object.name, [&] { return ::fstat(queue, &status); });
  mq_attr attributes{};
  sys("look at message queue " + object.name, [&] { return ::mq_getattr(queue, &attributes); });
  object.uid = status.st_uid;
  object.gid = status.st_gid;
  object.mode = status.st_mode & 0777;
  object.size = static_cast<uint64_t>(attributes.mq_maxmsg);
  object.messageBytes = static_cast<uint64_t>(attributes.mq_msgsize);
  return object;
}

void readMessages(int queue, IpcObject& object) {
  std::string buffer(object.messageBytes, '\0');
  int err = 0;
  for (unsigned priority = 0;;) {
    ssize_t n = ::mq_receive(queue, buffer.data(), buffer.size(), &priority);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      err = errno;
      break;
    }
    object.messages.push_back({static_cast<int64_t>(priority), buffer.substr(0, static_cast<size_t>(n))});
  }
  for (const IpcMessage& message : object.messages)
    sys("put a message back into queue " + object.name, [&] { return ::mq_send(queue, message.bytes.data(), message.bytes.size(), static_cast<unsigned>(message.type)); });
  if (err != EAGAIN) throwErrno("read message queue " + object.name, err);
}

// The file system of the IPC namespace that the thread is in, mounted nowhere.
UniqueFd openQueues() {
  constexpr int kCreate = 6;  // FSCONFIG_CMD_CREATE
  UniqueFd context = sysFd("open the message queues", [] { return static_cast<int>(::syscall(SYS_fsopen, "mqueue", 1 /* FSOPEN_CLOEXEC */)); });
  sys("open the message queues", [&] { return ::syscall(SYS_fsconfig, context.get(), kCreate, nullptr, nullptr, 0); });
  return sysFd("open the message queues", [&] { return static_cast<int>(::syscall(SYS_fsmount, context.get(), 1 /* FSMOUNT_CLOEXEC */, 0)); });
}

}  // namespace

IpcObject describeQueue(const std::string& what, const std::string& link, const std::string& path) { return describeOpened(what, link, openQueue(path).get()); }

void readQueueMessages(const std::string& path, IpcObject& object) { readMessages(openQueue(path).get(), object); }

void collectQueueMessages(pid_t init, State& state) {
  UniqueFd pidfd = sysFd("open the pod's init", [&] { return static_cast<int>(::syscall(SYS_pidfd_open, init, 0)); });
  InNamespaces inside(pidfd.get(), CLONE_NEWIPC);
  UniqueFd queues = openQueues();
  std::string directory = "/proc/self/fd/" + std::to_string(queues.get()) + "/";
  for (const std::string& name : listDirectory(directory)) {
    UniqueFd queue = openQueue(directory + name);
    auto known = std::find_if(state.ipc.begin(), state.ipc.end(), [&](const IpcObject& object) {
      return object.kind == static_cast<uint32_t>(IpcKind::PosixQueue) && !object.destroyed && object.name == "/" + name;
    });
    if (known == state.ipc.end()) known = state.ipc.insert(state.ipc.end(), describeOpened("it", "/" + name, queue.get()));
    readMessages(queue.get(), *known);
  }
}

}  // namespace appshot
