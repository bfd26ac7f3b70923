// Reads of /proc that more than one part needs.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace appshot {

// Fields of /proc/PID/stat, counted from 3 as proc(5) does; [0] is unused but the name stands in `comm`.
struct ProcStat {
  std::string comm;
  char state = '?';
  std::vector<std::string> fields;  // fields[3] is the state, fields[4] ppid ...
  uint64_t number(size_t field) const;
};

// `who` is "PID" or "PID/task/TID".
ProcStat readProcStat(const std::string& who);

// /proc/PID/status as name -> value.
std::map<std::string, std::string> readProcStatus(const std::string& who);

// One line of /proc/PID/maps.
struct MapLine {
  uint64_t start, end, offset, inode;
  char perms[5];
  uint32_t devMajor, devMinor;
  std::string path;  // as it stands, with " (deleted)"
};
std::vector<MapLine> readMaps(const std::string& who);

// VmFlags of /proc/PID/smaps by start address: two-letter codes separated by blanks. Slow: walks the page tables.
std::map<uint64_t, std::string> readVmFlags(const std::string& who);

// Names in a directory of a process; none when it has ended.
std::vector<std::string> listDirectoryIfThere(const std::string& path);

// Last number of the NSpid line: the id that the process has inside its innermost pid namespace.
pid_t virtualPid(pid_t pid);

// "pid N (NAME)", N as the process itself sees it: for messages.
std::string processName(pid_t pid);

}  // namespace appshot
