// Paths of files of which the kernel tells no more than a number.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace appshot {

// An inotify set names its files by device, inode number and handle, as file systems see them from inside (an overlay shows others
// to stat, and numbers alone may be there twice). So candidates are watched by a set of our own, and what the kernel says of that is compared.
class PathFinder {
 public:
  using Inode = std::string;
  // What a line of fdinfo says of the watched file.
  static Inode inodeIn(const std::string& line);

  // Finds what the inotify sets of process `pid` watch, as paths in its own view: among the files that it has to do with, then by
  // walking through the directories it works in, for at most a second. The process may run.
  void learnWatched(pid_t pid);
  // Empty where it was not found.
  std::string pathOf(const Inode& inode) const;

 private:
  void tryPaths(pid_t pid, const std::vector<std::string>& paths);
  void learn(pid_t pid, const Inode& inode, double deadlineUs);
  void walk(pid_t pid, const std::vector<std::string>& from, const Inode& wanted, double deadlineUs);
  std::vector<std::string> likelyPaths(pid_t pid) const;

  std::map<Inode, std::string> known_;
};

}  // namespace appshot
