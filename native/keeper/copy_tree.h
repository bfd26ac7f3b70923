// Files and directories by descriptor of their parent, never through a link: whose they are may have changed since they were named.
#pragma once

#include <sys/types.h>

#include <string>

#include "core/sys/unique_fd.h"

namespace appshot {

struct Entry {
  UniqueFd parent;            // invalid where a directory on the way is missing
  std::string name;
  bool exists() const;
};

// The entry at an absolute path of the calling thread's view. With `make`, missing directories on the way are made and given to
// `uid` and `gid`. Throws Error when something on the way is a link or no directory.
Entry openEntry(const std::string& path, bool make = false, uid_t uid = 0, gid_t gid = 0);

// Copies a file or a whole directory, with modes and times, to an entry that does not exist; the copies belong to `uid` and `gid`.
// Sockets and devices are left out.
void copyTree(const Entry& from, const Entry& to, uid_t uid, gid_t gid);

void removeTree(const Entry& entry);

// Has an overlay copy the files and directories of the entry into its upper layer: from then on they are its own.
void copyUp(const Entry& entry);

}  // namespace appshot
