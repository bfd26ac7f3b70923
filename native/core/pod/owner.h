// Names of everything that outlives a process: cgroups, interfaces, the packet filter's table. They carry the engine
// directory's hash, so that several engines on one machine never touch each other's.
#pragma once

#include <string>

namespace appshot {

// Eight hex digits from the absolute path of an engine directory.
std::string ownerOf(const std::string& directory);

std::string cgroupNameOf(const std::string& owner);                        // appshot-<owner>
std::string linkNameOf(const std::string& owner, unsigned number);         // as<owner>.<number>, at most 15 characters
std::string linkPrefixOf(const std::string& owner);                        // as<owner>.
std::string tableNameOf(const std::string& owner);                         // appshot_<owner>

// Pod numbers run from 1 to this and then start again: an interface name has room for four digits.
inline constexpr unsigned kPodNumbers = 9999;

}  // namespace appshot
