#include "engine_client.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/sys/sys.h"
#include "keeper/wire.h"

namespace appshot {

using Json = nlohmann::ordered_json;  // phases come in order

namespace {

// An answer as the keeper writes it, without looking into its value, which may be long: {"id":N,"value":…}. False for all else.
bool readValue(const std::string& text, ClientNews& news) {
  constexpr std::string_view kBefore = "{\"id\":", kBetween = ",\"value\":";
  if (text.compare(0, kBefore.size(), kBefore) != 0 || text.back() != '}') return false;
  const char* end = text.data() + text.size();
  auto [after, failed] = std::from_chars(text.data() + kBefore.size(), end, news.id);
  if (failed != std::errc() || std::string_view(after, static_cast<size_t>(end - after)).substr(0, kBetween.size()) != kBetween) return false;
  news.kind = ClientNews::Kind::kValue;
  news.text.assign(after + kBetween.size(), end - 1);
  return true;
}

ClientNews read(const std::string& text) {
  ClientNews news{};
  if (readValue(text, news)) return news;
  Json json = Json::parse(text);
  if (json.contains("event")) return {ClientNews::Kind::kEvent, 0, json["event"].dump(), "", ""};
  double id = json.value("id", 0.0);
  if (!json.contains("error")) return {ClientNews::Kind::kValue, id, json["value"].dump(), "", ""};
  const Json& error = json["error"];
  std::string facts = error.contains("facts") ? error["facts"].dump() : "";
  return {ClientNews::Kind::kError, id, error.value("message", ""), error.value("code", "internal"), facts};
}

// A keeper that is killed resets the connection: what it was asked may be asked again of the next.
ClientNews ended() { return {ClientNews::Kind::kClosed, 0, "the connection to the engine's keeper ended", "unavailable", ""}; }

}  // namespace

void EngineClient::start(uv_loop_t* loop, UniqueFd socket, UniqueFd bell) {
  auto poll = std::make_unique<uv_poll_t>();
  if (int err = uv_poll_init(loop, poll.get(), socket.get()); err != 0) throwErrno("watch the keeper's socket", -err);
  socket_ = std::move(socket);
  bell_ = std::move(bell);
  poll_ = poll.release();
  poll_->data = this;
  watch();
}

void EngineClient::watch() {
  if (poll_ == nullptr) return;
  uv_poll_start(poll_, queue_.empty() ? UV_READABLE : UV_READABLE | UV_WRITABLE,
                [](uv_poll_t* poll, int status, int events) { static_cast<EngineClient*>(poll->data)->ready(status, events); });
}

void EngineClient::close(std::function<void()> onReleased) {
  onReleased_ = std::move(onReleased);
  queue_.clear();
  uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(poll_, nullptr)), [](uv_handle_t* handle) {
    std::unique_ptr<uv_poll_t> poll(reinterpret_cast<uv_poll_t*>(handle));
    auto* self = static_cast<EngineClient*>(poll->data);
    // Not before: its number would be another's while the loop still watches it.
    self->socket_.reset();
    auto released = std::move(self->onReleased_);
    released();
  });
}

bool EngineClient::send(std::string text, const std::vector<int>& fds) {
  if (poll_ == nullptr) return false;
  Outgoing outgoing{lengthPrefix(text) + text, {}, false};
  for (int fd : fds) {
    outgoing.fds.push_back(sysFd("duplicate descriptor " + std::to_string(fd), [&] { return ::fcntl(fd, F_DUPFD_CLOEXEC, 3); }));
  }
  queue_.push_back(std::move(outgoing));
  // The usual case: the socket has room.
  if (!flush()) watch();
  return true;
}

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
    if (!std::exchange(first.begun, true)) ring(bell_.get());
    first.bytes.erase(0, static_cast<size_t>(n));
    if (first.bytes.empty()) queue_.erase(queue_.begin());
  }
  return true;
}

// One piece a turn: the loop comes back while there is more.
bool EngineClient::receive() {
  char piece[64 << 10];
  ssize_t n;
  do n = ::recv(socket_.get(), piece, sizeof piece, MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  if (n < 0) return errno == EAGAIN;
  received_.append(piece, static_cast<size_t>(n));
  return n > 0;
}

// Throws Error when what came is not a message.
void EngineClient::takeMessages(std::vector<ClientNews>& news) {
  size_t at = 0;
  for (std::optional<uint32_t> length; (length = lengthIn(std::string_view(received_).substr(at))); at += 4 + *length) {
    if (received_.size() - at - 4 < *length) break;
    news.push_back(read(received_.substr(at + 4, *length)));
  }
  received_.erase(0, at);
}

void EngineClient::ready(int status, int events) {
  std::vector<ClientNews> news;
  bool open = true;
  try {
    if (status == 0 && (events & UV_WRITABLE) != 0 && flush()) watch();
    if (status != 0 || (events & (UV_READABLE | UV_DISCONNECT)) != 0) open = receive();
    takeMessages(news);
  } catch (const Error& error) {
    open = false;
    news.push_back({ClientNews::Kind::kClosed, 0, error.what(), "unavailable", ""});
  } catch (const std::exception& error) {
    open = false;
    news.push_back({ClientNews::Kind::kClosed, 0, error.what(), "internal", ""});
  }
  if (!open && (news.empty() || news.back().kind != ClientNews::Kind::kClosed)) news.push_back(ended());
  if (!news.empty()) onNews_(std::move(news));
}

}  // namespace appshot
