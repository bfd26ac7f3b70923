// The keeper's socket: one thread a connection reads requests, workers run them, answers and events go back.
//
// Request {id, method, params} with descriptors; answer {id, value} or {id, error: {code, message}}; event {event}.
#pragma once

#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/sys/unique_fd.h"
#include "keeper/keeper.h"

namespace appshot {

class Connection;

class Server {
 public:
  explicit Server(Keeper& keeper) : keeper_(keeper) {}

  // Throws Error.
  void listen(const std::string& path);
  // Serves until nobody has needed the keeper for `idleMs`, or stop() is called.
  void serve(int idleMs);
  // From a signal handler.
  void stop();
  void close();
  // To every client.
  void send(const std::string& text);

 private:
  void accept();
  bool isNeeded();
  void reapConnections(bool all);

  Keeper& keeper_;
  std::string path_;
  UniqueFd socket_, stop_;
  std::mutex mutex_;
  std::list<std::shared_ptr<Connection>> connections_;
};

}  // namespace appshot
