// Sockets that listen, and let nobody in for a while.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/sys/unique_fd.h"

namespace appshot {

// Who connects when the processes are about to end would be lost with them: connected, and never accepted. Before a closed door he
// asks again after a second, and by then is let in, or told that nobody is there. See ADR 0073. Opens all doors again when it goes,
// unless it is let go.
class ClosedDoors {
 public:
  ClosedDoors() = default;
  ~ClosedDoors();
  ClosedDoors(const ClosedDoors&) = delete;
  ClosedDoors& operator=(const ClosedDoors&) = delete;
  // `fd` is a listening socket. One that has a filter of its own stays open; one that is closed is left so. Throws Error.
  void close(int fd);
  // The instance ends.
  void letGo() { doors_.clear(); }

 private:
  std::vector<UniqueFd> doors_;
};

// Whether this filter (sock_filter[]) is that of a closed door, and none of the program's.
bool isClosedDoor(const std::string& filter);

// Opens the doors that somebody closed who did not live to open them. Throws Error where a process has gone.
void openDoorsOf(const std::vector<pid_t>& pids);

}  // namespace appshot
