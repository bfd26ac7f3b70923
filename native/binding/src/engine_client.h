// A connection to a keeper with a thread of its own. Knows nothing of Node.js.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/sys/unique_fd.h"

namespace appshot {

// What the thread reports.
struct ClientNews {
  enum class Kind { kConnected, kValue, kError, kEvent, kClosed };
  Kind kind;
  double id = 0;             // of the call, for kValue and kError
  std::string text;          // JSON of a value or event; message of an error
  std::string code;          // of kError, and of kClosed
  std::string facts;         // JSON, of kError; may be empty
};

class EngineClient {
 public:
  using OnNews = std::function<void(ClientNews)>;

  // `onNews` is called on the client's thread, and last with kClosed.
  EngineClient(std::string directory, std::string keeperProgram, OnNews onNews)
      : directory_(std::move(directory)), program_(std::move(keeperProgram)), onNews_(std::move(onNews)) {}
  ~EngineClient() { close(); }

  void start();
  // Sends at once where the socket takes it, and otherwise from the thread. Descriptors are duplicated. False when closed.
  bool send(std::string text, const std::vector<int>& fds);
  // Waits for the thread, which does nothing long but start a keeper.
  void close();

 private:
  struct Outgoing {
    std::string bytes;
    std::vector<UniqueFd> fds;
  };

  void run();
  void exchange();
  // False when the socket takes no more for now.
  bool flush();
  void receive(const std::string& text);

  std::string directory_, program_;
  OnNews onNews_;
  UniqueFd wake_;
  std::mutex mutex_;                     // of what follows
  UniqueFd socket_;
  std::vector<Outgoing> queue_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace appshot
