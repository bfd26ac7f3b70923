// A connection to a keeper, on the event loop of whoever has it: an answer is there in the turn in which it comes, and no other thread has
// to wake for it. Knows nothing of JavaScript. All of it is called on the loop's thread.
#pragma once

#include <uv.h>

#include <functional>
#include <string>
#include <vector>

#include "core/sys/unique_fd.h"

namespace appshot {

// What the keeper says.
struct ClientNews {
  enum class Kind { kValue, kError, kEvent, kClosed };
  Kind kind;
  double id = 0;             // of the call, for kValue and kError
  std::string text;          // JSON of a value or event; message of an error
  std::string code;          // of kError, and of kClosed
  std::string facts;         // JSON, of kError; may be empty
};

class EngineClient {
 public:
  // Called with all that has come together; kClosed is the last of all.
  using OnNews = std::function<void(std::vector<ClientNews>)>;

  explicit EngineClient(OnNews onNews) : onNews_(std::move(onNews)) {}
  // Throws Error.
  void start(uv_loop_t* loop, UniqueFd socket, UniqueFd bell);
  // Sends at once where the socket takes it, and otherwise when it does. Descriptors are duplicated. False when closed.
  bool send(std::string text, const std::vector<int>& fds);
  // After start(), once. Nothing is told any more; `onReleased` is called when the loop has let go of it, and may destroy this.
  void close(std::function<void()> onReleased);

 private:
  struct Outgoing {
    std::string bytes;
    std::vector<UniqueFd> fds;
    bool begun = false;                  // its first byte is sent
  };

  void ready(int status, int events);
  void watch();
  // False when the socket takes no more for now.
  bool flush();
  // False when nothing more will come.
  bool receive();
  void takeMessages(std::vector<ClientNews>& news);

  OnNews onNews_;
  UniqueFd socket_, bell_;
  uv_poll_t* poll_ = nullptr;            // freed by the loop
  std::function<void()> onReleased_;
  std::vector<Outgoing> queue_;
  std::string received_;                 // and not yet a message
};

}  // namespace appshot
