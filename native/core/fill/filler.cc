// The keeper's half.
#include "core/fill/filler.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

#include "core/fill/filler_message.h"
#include "core/sys/send_descriptors.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

std::mutex mutex;
UniqueFd fillerSocket;
pid_t fillerPid = -1;

UniqueFd spawnFiller() {
  // One that was there before has closed its socket: it is ending.
  if (fillerPid > 0) ::waitpid(std::exchange(fillerPid, -1), nullptr, 0);
  int ends[2];
  sys("make the filler's socket", [&] { return ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends); });
  UniqueFd mine(ends[0]), its(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, its.get(), 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  char name[sizeof kFillerName];
  std::memcpy(name, kFillerName, sizeof name);
  char* arguments[] = {name, nullptr};
  char* nothing[] = {nullptr};
  int err = ::posix_spawn(&fillerPid, "/proc/self/exe", &actions, &attributes, arguments, nothing);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (err != 0) throwErrno("start the filler", err);
  return mine;
}

void sendOrder(const FillOrder& order, int fate) {
  if (order.imageDir.size() >= sizeof FillMessage::imageDir) throw Error("internal", "the path of the image is too long: " + order.imageDir);
  FillMessage message;
  message.pageBytes = order.pageBytes;
  message.baseBytes = order.baseBytes;
  std::memcpy(message.imageDir, order.imageDir.c_str(), order.imageDir.size());
  std::vector<int> fds{order.pagesFd, order.plansFd, fate, order.userfaultfds.get(), order.baseBytes ? order.baseFd : order.pagesFd, order.toDuplicates};
  std::lock_guard lock(mutex);
  if (!fillerSocket.valid()) fillerSocket = spawnFiller();
  if (sendDescriptors(fillerSocket.get(), &message, sizeof message, fds) >= 0) return;
  fillerSocket = spawnFiller();  // it was killed: a new one
  sys("hand missing memory to the filler", [&] { return sendDescriptors(fillerSocket.get(), &message, sizeof message, fds); });
}

// Whether a message is on its way to the init: what the other end has not received yet.
bool isUnreceived(int control) {
  int bytes = 0;
  return ::ioctl(control, SIOCOUTQ, &bytes) == 0 && bytes > 0;
}

}  // namespace

void prepareFiller() {
  std::lock_guard lock(mutex);
  if (!fillerSocket.valid()) fillerSocket = spawnFiller();
}

void startFilling(FillOrder order, const Pod& pod) {
  if (!pod.control.valid()) throw Error("internal", "pod " + pod.name + " is no fresh one");
  int ends[2];
  sys("make a pipe", [&] { return ::pipe2(ends, O_CLOEXEC); });
  UniqueFd reader(ends[0]), writer(ends[1]);
  // The init first: should anything fail from here on, it hears of the pipe's end.
  sys("hand duplicates to the pod's init", [&] { return sendDescriptors(pod.control.get(), "", 1, {order.duplicates.get(), reader.get()}); });
  sendOrder(order, writer.get());
}

void waitUntilFilled(const Pod& pod) {
  // The init has them as long as it is so; a keeper that adopted the pod can see it there, too. The first free descriptors of an init
  // become that for signals, the duplicates and the fate.
  std::string fate = "/proc/" + std::to_string(pod.init) + "/fd/2";
  struct stat ignored {};
  while ((pod.control.valid() && isUnreceived(pod.control.get())) || ::lstat(fate.c_str(), &ignored) == 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace appshot
