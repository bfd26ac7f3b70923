// Which parts of which page files were checked, or written, by this process.
#pragma once

#include <cstdint>
#include <set>
#include <utility>

namespace appshot {

using VerifiedRanges = std::set<std::pair<uint64_t, uint64_t>>;

// Of the file as it is: known again by identity, size and modification time, since any write changes the latter. (The change time would
// not do: a delta's link to its base changes it.)
VerifiedRanges verifiedRanges(int fd);
// Replaces what is known of the file.
void setVerified(int fd, VerifiedRanges ranges);
void addVerified(int fd, std::pair<uint64_t, uint64_t> range);

}  // namespace appshot
