// Files and directories inside a view that is mounted but attached nowhere. `root` is the descriptor of its mount; paths are
// absolute inside it, and no link leads out of it.
#pragma once

#include <sys/types.h>

#include <string>

namespace appshot {

// Makes the directory and its parents (mode 0755, of root). Returns the path where it really is.
std::string makeDirectoriesIn(int root, const std::string& path);
// Makes what `from`, a path of the host, can be mounted on: a directory or a file. Returns where it really is.
std::string makeMountPointIn(int root, const std::string& path, const std::string& from);
// Gives a directory to a user, who may then write and enter it.
void ownDirectoryIn(int root, const std::string& path, uid_t uid, gid_t gid);
// Replaces a file's contents; an existing file keeps its mode.
void writeFileIn(int root, const std::string& path, const std::string& text);
void appendFileIn(int root, const std::string& path, const std::string& text);

}  // namespace appshot
