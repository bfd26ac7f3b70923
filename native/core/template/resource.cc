#include "core/template/resource.h"

namespace appshot {

const char* nameOf(ResourceType type) {
  static constexpr const char* kNames[] = {"memory",  "mapped file", "shared memory", "files",     "volume",        "open file", "pipe",
                                           "socket",  "connection",  "port",          "process",   "thread",        "semaphores", "message queue",
                                           "event",   "host name",   "address",       "variable",  "path",          "clock",      "random numbers"};
  static_assert(sizeof kNames / sizeof *kNames == static_cast<size_t>(ResourceType::Last) + 1);
  return kNames[static_cast<size_t>(type)];
}

const char* nameOf(CloneClass cloneClass) {
  static constexpr const char* kNames[] = {"share", "copy-on-write", "duplicate", "multiplex", "virtualize", "allocate", "redirect", "recreate"};
  static_assert(sizeof kNames / sizeof *kNames == static_cast<size_t>(CloneClass::Last) + 1);
  return kNames[static_cast<size_t>(cloneClass)];
}

std::string whyOf(const ClassifiedResource& resource) {
  switch (resource.reason) {
    case ClassReason::Rule: return "the rule in line " + std::to_string(resource.line) + " says so";
    case ClassReason::Shared: return "no instance changes it, or all are meant to";
    case ClassReason::LargeWithObject: return "it can be changed, may be large, and what is below it can be shared until then";
    case ClassReason::Modifiable: return "it can be changed";
    case ClassReason::Exported: return "it is unique on a node and reached from outside";
    case ClassReason::Internal: return "it is unique on a node and seen from inside only";
    case ClassReason::Network: return "it is unique on the network";
    case ClassReason::Plain: return "nothing speaks against another one like it";
  }
  return "";
}

}  // namespace appshot
