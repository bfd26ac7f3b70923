#include "keeper/connection.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cstdio>
#include <functional>
#include <optional>
#include <utility>

#include "core/sys/sys.h"
#include "keeper/facts_error.h"
#include "keeper/operations.h"
#include "keeper/request_fields.h"

namespace appshot {

namespace {

Answer errorJson(const std::string& code, const std::string& message) { return {{"code", code}, {"message", message}}; }

struct Request {
  Json id;
  std::string method;
  Json params;
};

Request parseRequest(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  Request request;
  if (json.is_object() && json.contains("id") && json["id"].is_number()) request.id = json["id"];
  if (request.id.is_null()) throw Error("bad-request", "a request is an object with a number 'id', a 'method' and 'params'");
  RequestFields fields(json, "request");
  fields.any("id");
  request.method = fields.text("method");
  request.params = fields.any("params");
  if (request.params.is_null()) request.params = Json::object();
  fields.done();
  return request;
}

// Bytes that are not UTF-8 (a program's last words) must not make an answer impossible.
std::string dumped(const Answer& json) { return json.dump(-1, ' ', false, Answer::error_handler_t::replace); }

}  // namespace

void Connection::start() {
  closed_ = sysFd("make eventfd", [] { return ::eventfd(0, EFD_CLOEXEC); });
  timeval limit{10, 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  reading_ = true;
  if (!keeper_.workers.run([self = shared_from_this()] { self->read(); })) endReading();
}

void Connection::close() {
  ::shutdown(socket_.get(), SHUT_RDWR);
  std::unique_lock lock(readingMutex_);
  readingEnded_.wait(lock, [this] { return !reading_; });
}

void Connection::send(const std::string& text) {
  std::lock_guard lock(sending_);
  if (finished_) return;
  try {
    sendMessage(socket_.get(), text);
  } catch (const Error&) {
    ::shutdown(socket_.get(), SHUT_RDWR);
  }
}

// Who has read a request answers it, and another thread reads on: the other way round each request would wait for a thread to wake.
void Connection::read() {
  std::optional<Message> message;
  try {
    if (bell_.valid()) awaitBell(bell_.get(), socket_.get());
    message = receiveMessage(socket_.get());
    if (std::exchange(isFirst_, false) && message && !message->fds.empty()) bell_ = std::move(message->fds.front());
  } catch (const Error& error) {
    std::fprintf(stderr, "a client is dropped: %s\n", error.what());
    ::shutdown(socket_.get(), SHUT_RDWR);
  }
  if (!message) return endReading();
  ++running_;
  if (!keeper_.workers.run([self = shared_from_this()] { self->read(); })) endReading();
  answer(std::move(*message));
  --running_;
}

void Connection::endReading() {
  finished_ = true;
  uint64_t one = 1;
  [[maybe_unused]] ssize_t n = ::write(closed_.get(), &one, sizeof one);
  std::lock_guard lock(readingMutex_);
  reading_ = false;
  readingEnded_.notify_all();
}

void Connection::answer(Message message) {
  // Without an id nobody waits for the answer; 0 is no call's.
  Answer reply = {{"id", 0}};
  std::vector<std::function<void()>> afterwards;
  try {
    Request request = parseRequest(message.text);
    reply["id"] = request.id;
    reply["value"] = runOperation(request.method, {keeper_, request.params, message.fds, closed_.get(), afterwards});
  } catch (const FactsError& error) {
    reply["error"] = errorJson(error.code(), error.what());
    reply["error"]["facts"] = error.facts();
  } catch (const Error& error) {
    reply["error"] = errorJson(error.code(), error.what());
  } catch (const std::exception& error) {
    reply["error"] = errorJson("internal", error.what());
  }
  send(dumped(reply));
  for (const auto& work : afterwards) work();
}

}  // namespace appshot
