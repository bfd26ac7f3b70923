#include "keeper/server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "core/sys/sys.h"
#include "keeper/connection.h"

namespace appshot {

void Server::listen(const std::string& path) {
  path_ = path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw Error("bad-request", "the engine's directory has too long a path for a socket: " + path);
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  socket_ = sysFd("make socket", [] { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); });
  stop_ = sysFd("make eventfd", [] { return ::eventfd(0, EFD_CLOEXEC); });
  ::unlink(path.c_str());
  sys("bind " + path, [&] { return ::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address); });
  sys("close " + path + " to others", [&] { return ::chmod(path.c_str(), 0600); });
  sys("listen on " + path, [&] { return ::listen(socket_.get(), 64); });
}

void Server::accept() {
  UniqueFd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!client.valid()) return;
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(client.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || peer.uid != 0) return;
  auto connection = std::make_shared<Connection>(keeper_, std::move(client));
  connection->start();
  std::lock_guard lock(mutex_);
  connections_.push_back(std::move(connection));
}

void Server::reapConnections(bool all) {
  std::list<std::shared_ptr<Connection>> finished;
  {
    std::lock_guard lock(mutex_);
    for (auto at = connections_.begin(); at != connections_.end();) {
      auto next = std::next(at);
      if (all || (*at)->done()) finished.splice(finished.end(), connections_, at);
      at = next;
    }
  }
  for (auto& connection : finished) connection->close();
}

bool Server::isNeeded() {
  std::lock_guard lock(mutex_);
  return !connections_.empty() || !keeper_.idle();
}

void Server::serve(int idleMs) {
  constexpr int kLookEveryMs = 250;
  double neededAt = monotonicUs();
  pollfd polls[2] = {{socket_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
  for (;;) {
    int n = ::poll(polls, 2, kLookEveryMs);
    if (n < 0 && errno != EINTR) throwErrno("wait for clients", errno);
    if (n > 0 && polls[1].revents != 0) return;
    if (n > 0 && polls[0].revents != 0) accept();
    reapConnections(false);
    double now = monotonicUs();
    if (isNeeded()) neededAt = now;
    if (now - neededAt > idleMs * 1000.0) return;
  }
}

void Server::stop() {
  uint64_t one = 1;
  [[maybe_unused]] ssize_t n = ::write(stop_.get(), &one, sizeof one);
}

void Server::close() {
  // First the way in: who connects from now on starts the next keeper.
  ::unlink(path_.c_str());
  socket_.reset();
  reapConnections(true);
}

void Server::send(const std::string& text) {
  std::vector<std::shared_ptr<Connection>> all;
  {
    std::lock_guard lock(mutex_);
    all.assign(connections_.begin(), connections_.end());
  }
  for (auto& connection : all) connection->send(text);
}

}  // namespace appshot
