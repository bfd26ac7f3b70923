// What makes a process a daemon: detached from who started it, one at a time, saying when it is ready.
#pragma once

#include <string>

#include "core/sys/unique_fd.h"

namespace appshot {

class Daemon {
 public:
  // Goes on in a grandchild with a session of its own; standard output and error go to `log`. The process that was started
  // waits for ready() or failed() and exits with 0 or 1; then "CODE MESSAGE" is on its standard error.
  void detach(const std::string& log);
  // False when another process holds the lock. Waits a moment for one that is about to end.
  bool lock(const std::string& path);
  void unlock();
  void ready();
  void failed(const std::string& code, const std::string& why);

 private:
  void report(char outcome, const std::string& text);

  UniqueFd lock_, report_;
  std::string lockPath_, log_;
};

}  // namespace appshot
