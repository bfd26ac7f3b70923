// The part of FileCollector that knows connections that wait to be accepted.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/snapshot/collect_files.h"
#include "core/snapshot/sock_diag.h"
#include "core/snapshot/socket_reading.h"
#include "core/sys/sys.h"

namespace appshot {

namespace {

bool hasWaiting(int listener) {
  pollfd query{listener, POLLIN, 0};
  return ::poll(&query, 1, 0) > 0 && (query.revents & POLLIN);
}

}  // namespace

// What has come over a connection that nobody has accepted can be read by nobody who has not accepted it. So it is accepted here, in
// the order in which the program would have; a program that runs on would miss it.
void FileCollector::acceptWaiting() {
  std::vector<uint32_t> listeners;
  for (uint32_t index = 0; index < state_.files.size(); index++) {
    auto kind = static_cast<FileKind>(state_.files[index].kind);
    bool listens = kind == FileKind::TcpListen || kind == FileKind::UnixListen;
    // From the rehearsal on: what waits then can be accepted before the stop.
    if (kind == FileKind::TcpListen && course_.ends) course_.doors->close(opened_[index].here.get());
    if (!listens || !hasWaiting(opened_[index].here.get())) continue;
    // Who comes from outside is the running instance's visitor, and no clone's.
    if (!course_.ends && kind == FileKind::TcpListen && !anyInsiderWaits(index)) continue;
    if (!course_.ends)
      throw Error("unsupported-state", "fd " + std::to_string(opened_[index].fd) +
                                           " is a socket with connections that wait to be accepted: a template cannot have them; make it later");
    if (kind == FileKind::TcpListen) refuseOutsiders(index);
    if (!course_.rehearses) listeners.push_back(index);
  }
  for (uint32_t index : listeners) {
    int listener = opened_[index].here.get();
    while (hasWaiting(listener)) {
      UniqueFd taken = sysFd("take a waiting connection", [&] { return ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC); });
      course_.hasTaken = true;
      int number = taken.get();
      uint32_t accepted = describe(look(::getpid(), number, std::move(taken)));
      state_.files[accepted].waitsOn = index;
    }
  }
}

bool FileCollector::anyInsiderWaits(uint32_t listener) const {
  auto local = inetAddressOf(state_.files[listener].localAddress);
  for (const WaitingConnection& waiting : readWaitingConnections(podInit_))
    if (local && waiting.local.port == local->port && isInside(waiting)) return true;
  return false;
}

bool FileCollector::isInside(const WaitingConnection& waiting) const { return waiting.peer.isLoopback() || waiting.peer.address == state_.ownAddress; }

// Nobody can be put back into a queue who connects from elsewhere.
void FileCollector::refuseOutsiders(uint32_t listener) const {
  auto local = inetAddressOf(state_.files[listener].localAddress);
  for (const WaitingConnection& waiting : readWaitingConnections(podInit_)) {
    if (local && waiting.local.port == local->port && !isInside(waiting))
      throw Error("unsupported-state", "fd " + std::to_string(opened_[listener].fd) + " is a socket with connections from outside that wait to be accepted; not supported");
  }
}

}  // namespace appshot
