// What an instance calls its resources, and what the node calls them: read from the kernel's own tables, which are the
// translation. A row is there from the moment the resource appears until it goes.
#pragma once

#include <string>
#include <vector>

#include "core/pod/pod.h"

namespace appshot {

struct ResourceId {
  std::string type;           // pid, thread, shm, sem, msg, port, udp-port, ip, path
  std::string virtualId;      // inside
  std::string systemId;       // on the node; of what has no number there, the namespace it is in and its number inside
};

// Processes, threads, System V objects, bound ports and the address of a pod.
std::vector<ResourceId> resourceIdsOf(const Pod& pod);

}  // namespace appshot
