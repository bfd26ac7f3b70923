// A resource of a saved instance, and what a clone does with it.
#pragma once

#include <cstdint>
#include <string>

namespace appshot {

enum class ResourceType : uint32_t {
  Memory = 0, MappedFile = 1, SharedMemory = 2, Files = 3, Volume = 4, OpenFile = 5, Pipe = 6, Socket = 7, Connection = 8, Port = 9,
  Process = 10, Thread = 11, Semaphores = 12, MessageQueue = 13, Event = 14, HostName = 15, Address = 16, Variable = 17, Path = 18,
  Clock = 19, Randomness = 20, Last = Randomness
};

enum class CloneClass : uint32_t {
  Share = 0,        // all use the same one
  CopyOnWrite = 1,  // the same one until somebody changes it
  Duplicate = 2,    // each has a copy from the beginning
  Multiplex = 3,    // each has it, told apart from outside by something else
  Virtualize = 4,   // each has it, in a space of its own
  Allocate = 5,     // each gets another one
  Redirect = 6,     // each is led to another one
  Recreate = 7,     // made again as it was
  Last = Recreate
};

// Which criterion decided.
enum class ClassReason : uint32_t { Rule = 0, Shared = 1, LargeWithObject = 2, Modifiable = 3, Exported = 4, Internal = 5, Network = 6, Plain = 7, Last = Plain };

struct ClassifiedResource {
  ResourceType type = ResourceType::Memory;
  std::string identity;       // as people would name it
  uint64_t size = 0;          // bytes; 0 where that means nothing
  CloneClass cloneClass = CloneClass::Recreate;
  ClassReason reason = ClassReason::Plain;
  uint32_t line = 0;          // of the rule that decided; 0: none
};

const char* nameOf(ResourceType type);
const char* nameOf(CloneClass cloneClass);
// Why, in words.
std::string whyOf(const ClassifiedResource& resource);

}  // namespace appshot
