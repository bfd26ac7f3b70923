// The keeper's half.
#include "core/fill/filler.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <cstring>
#include <mutex>
#include <set>
#include <thread>

#include "core/fill/filler_message.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

std::mutex mutex;
std::condition_variable changed;
std::multiset<pid_t> filling;  // inits of pods whose memory is not whole yet
UniqueFd fillerSocket;

UniqueFd spawnFiller() {
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
  pid_t pid = -1;
  int err = ::posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, arguments, nothing);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (err != 0) throwErrno("start the filler", err);
  return mine;
}

void sendOrder(const FillOrder& order, int done) {
  if (order.imageDir.size() >= sizeof FillMessage::imageDir) throw Error("internal", "the path of the image is too long: " + order.imageDir);
  FillMessage message;
  message.pageBytes = order.pageBytes;
  message.baseBytes = order.baseBytes;
  std::memcpy(message.imageDir, order.imageDir.c_str(), order.imageDir.size());
  int fds[kFillDescriptors] = {order.pagesFd, order.plansFd, done, order.userfaultfds.get(), order.baseBytes ? order.baseFd : order.pagesFd};
  iovec vector{&message, sizeof message};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds)]{};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  cmsghdr* part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof fds);
  std::memcpy(CMSG_DATA(part), fds, sizeof fds);
  std::lock_guard lock(mutex);
  if (!fillerSocket.valid()) fillerSocket = spawnFiller();
  if (::sendmsg(fillerSocket.get(), &header, MSG_NOSIGNAL) >= 0) return;
  fillerSocket = spawnFiller();  // it was killed: a new one
  sys("hand missing memory to the filler", [&] { return ::sendmsg(fillerSocket.get(), &header, MSG_NOSIGNAL); });
}

// Holds the duplicates, which wait in a socket, until the filler is done, and kills the instance when it never will be.
void guard(UniqueFd done, UniqueFd duplicates, pid_t init, UniqueFd initPidfd) {
  char byte;
  ssize_t n;
  do n = ::read(done.get(), &byte, 1);
  while (n < 0 && errno == EINTR);
  if (n != 1 && initPidfd.valid()) ::syscall(SYS_pidfd_send_signal, initPidfd.get(), SIGKILL, nullptr, 0);
  duplicates.reset();
  std::lock_guard lock(mutex);
  filling.erase(filling.find(init));
  changed.notify_all();
}

}  // namespace

void prepareFiller() {
  std::lock_guard lock(mutex);
  if (!fillerSocket.valid()) fillerSocket = spawnFiller();
}

void startFilling(FillOrder order, pid_t init) {
  int ends[2];
  sys("make a pipe", [&] { return ::pipe2(ends, O_CLOEXEC); });
  UniqueFd reader(ends[0]), writer(ends[1]);
  UniqueFd initPidfd(static_cast<int>(::syscall(SYS_pidfd_open, init, 0)));
  {
    std::lock_guard lock(mutex);
    filling.insert(init);
  }
  try {
    sendOrder(order, writer.get());
  } catch (...) {
    std::lock_guard lock(mutex);
    filling.erase(filling.find(init));
    throw;
  }
  writer.reset();
  std::thread(guard, std::move(reader), std::move(order.duplicates), init, std::move(initPidfd)).detach();
}

void waitUntilFilled(pid_t init) {
  std::unique_lock lock(mutex);
  changed.wait(lock, [init] { return filling.count(init) == 0; });
}

}  // namespace appshot
