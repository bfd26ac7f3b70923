// One client of the keeper.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "core/sys/unique_fd.h"
#include "keeper/keeper.h"
#include "keeper/wire.h"

namespace appshot {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Keeper& keeper, UniqueFd socket) : keeper_(keeper), socket_(std::move(socket)) {}

  void start();
  // Ends the connection and waits until nobody reads it; operations that run for it go on.
  void close();
  // The client has gone and nothing runs for it.
  bool done() const { return finished_ && running_ == 0; }
  bool open() const { return !finished_; }
  // Drops the client when it does not read.
  void send(const std::string& text);

 private:
  void read();
  void endReading();
  void answer(Message message);

  Keeper& keeper_;
  UniqueFd socket_;
  UniqueFd bell_;                        // of the client; it may have none
  UniqueFd closed_;                      // an eventfd: readable once the client has gone
  std::mutex sending_;
  std::atomic<bool> finished_{false};
  std::atomic<int> running_{0};
  std::mutex readingMutex_;
  std::condition_variable readingEnded_;
  bool reading_ = false;                 // under readingMutex_
  bool isFirst_ = true;                  // nothing was read yet
};

}  // namespace appshot
