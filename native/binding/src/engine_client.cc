#include "engine_client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "core/sys/sys.h"
#include "keeper/wire.h"
#include "keeper_start.h"

namespace appshot {

using Json = nlohmann::ordered_json;  // phases come in order

void EngineClient::start() {
  wake_ = sysFd("make eventfd", [] { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); });
  thread_ = std::thread([this] { run(); });
}

void EngineClient::close() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  uint64_t one = 1;
  if (wake_.valid()) [[maybe_unused]] auto n = ::write(wake_.get(), &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

bool EngineClient::send(std::string text, const std::vector<int>& fds) {
  Outgoing outgoing{lengthPrefix(text) + text, {}};
  for (int fd : fds) {
    outgoing.fds.push_back(sysFd("duplicate descriptor " + std::to_string(fd), [&] { return ::fcntl(fd, F_DUPFD_CLOEXEC, 3); }));
  }
  std::lock_guard lock(mutex_);
  if (closing_ || !socket_.valid()) return false;
  queue_.push_back(std::move(outgoing));
  // The usual case: the socket has room, and the thread need not be woken.
  if (flush()) return true;
  uint64_t one = 1;
  [[maybe_unused]] auto n = ::write(wake_.get(), &one, sizeof one);
  return true;
}

// Under the mutex.
bool EngineClient::flush() {
  while (!queue_.empty()) {
    Outgoing& first = queue_.front();
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMostDescriptors)] = {};
    iovec part{first.bytes.data(), first.bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!first.fds.empty()) {
      size_t bytes = sizeof(int) * first.fds.size();
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(bytes);
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(bytes);
      for (size_t i = 0; i < first.fds.size(); ++i) {
        int fd = first.fds[i].get();
        std::memcpy(CMSG_DATA(header) + i * sizeof fd, &fd, sizeof fd);
      }
    }
    ssize_t n = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    // A broken connection shows when reading.
    if (n < 0) return false;
    first.fds.clear();
    first.bytes.erase(0, static_cast<size_t>(n));
    if (first.bytes.empty()) queue_.erase(queue_.begin());
  }
  return true;
}

void EngineClient::receive(const std::string& text) {
  Json json = Json::parse(text);
  if (json.contains("event")) return onNews_({ClientNews::Kind::kEvent, 0, json["event"].dump(), "", ""});
  double id = json.value("id", 0.0);
  if (json.contains("error")) {
    const Json& error = json["error"];
    std::string facts = error.contains("facts") ? error["facts"].dump() : "";
    return onNews_({ClientNews::Kind::kError, id, error.value("message", ""), error.value("code", "internal"), facts});
  }
  onNews_({ClientNews::Kind::kValue, id, json["value"].dump(), "", ""});
}

void EngineClient::exchange() {
  for (;;) {
    bool waiting, closing;
    {
      std::lock_guard lock(mutex_);
      waiting = !queue_.empty() && !flush();
      closing = closing_;
    }
    if (closing) return;
    pollfd polls[2] = {{socket_.get(), static_cast<short>(waiting ? POLLIN | POLLOUT : POLLIN), 0}, {wake_.get(), POLLIN, 0}};
    if (::poll(polls, 2, -1) < 0 && errno != EINTR) throwErrno("wait for the keeper", errno);
    uint64_t count;
    if (polls[1].revents != 0) [[maybe_unused]] auto n = ::read(wake_.get(), &count, sizeof count);
    if ((polls[0].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
    auto message = receiveMessage(socket_.get());
    if (!message) return;
    receive(message->text);
  }
}

void EngineClient::run() {
  std::string code = "unavailable", why = "the connection to the engine's keeper ended";
  bool connected = false;
  try {
    UniqueFd socket = connectToKeeper(directory_, program_);
    {
      std::lock_guard lock(mutex_);
      socket_ = std::move(socket);
    }
    onNews_({ClientNews::Kind::kConnected, 0, "", "", ""});
    connected = true;
    exchange();
  } catch (const Error& error) {
    // A keeper that is killed resets the connection: what it was asked may be asked again of the next.
    if (!connected) code = error.code();
    why = error.what();
  } catch (const std::exception& error) {
    code = "internal";
    why = error.what();
  }
  {
    std::lock_guard lock(mutex_);
    socket_.reset();
    queue_.clear();
  }
  onNews_({ClientNews::Kind::kClosed, 0, why, code, ""});
}

}  // namespace appshot
