#include "core/sys/proc.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "core/sys/sys.h"

namespace appshot {

uint64_t ProcStat::number(size_t field) const {
  return field < fields.size() ? std::strtoull(fields[field].c_str(), nullptr, 10) : 0;
}

ProcStat readProcStat(const std::string& who) {
  std::string text = readFile("/proc/" + who + "/stat");
  // The name may hold blanks and brackets: it ends at the last ")".
  size_t open = text.find('('), close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos) throw Error("internal", "/proc/" + who + "/stat has no name");
  ProcStat stat;
  stat.comm = text.substr(open + 1, close - open - 1);
  stat.fields.assign(3, "");
  std::istringstream rest(text.substr(close + 1));
  for (std::string field; rest >> field;) stat.fields.push_back(field);
  if (stat.fields.size() > 3) stat.state = stat.fields[3][0];
  return stat;
}

std::map<std::string, std::string> readProcStatus(const std::string& who) {
  std::map<std::string, std::string> status;
  std::istringstream lines(readFile("/proc/" + who + "/status"));
  for (std::string line; std::getline(lines, line);) {
    size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    size_t value = line.find_first_not_of(" \t", colon + 1);
    status[line.substr(0, colon)] = value == std::string::npos ? "" : line.substr(value);
  }
  return status;
}

namespace {

// One line: "START-END PERMS OFFSET MAJOR:MINOR INODE   PATH". By hand: read for thousands of lines while a program stands still.
class MapParser {
 public:
  MapParser(const char* at, const char* end) : at_(at), end_(end) {}

  bool parse(MapLine& line) {
    line.start = number(16);
    if (!skip('-')) return false;
    line.end = number(16);
    if (!skip(' ') || end_ - at_ < 5) return false;
    std::memcpy(line.perms, at_, 4);
    line.perms[4] = '\0';
    at_ += 4;
    if (!skip(' ')) return false;
    line.offset = number(16);
    skip(' ');
    line.devMajor = static_cast<uint32_t>(number(16));
    skip(':');
    line.devMinor = static_cast<uint32_t>(number(16));
    skip(' ');
    line.inode = number(10);
    while (skip(' ')) {
    }
    line.path.assign(at_, end_);
    return true;
  }

 private:
  uint64_t number(int base) {
    uint64_t value = 0;
    at_ = std::from_chars(at_, end_, value, base).ptr;
    return value;
  }
  bool skip(char wanted) {
    if (at_ == end_ || *at_ != wanted) return false;
    at_++;
    return true;
  }
  const char* at_;
  const char* end_;
};

}  // namespace

std::vector<MapLine> readMaps(const std::string& who) {
  std::vector<MapLine> maps;
  std::string text = readFile("/proc/" + who + "/maps");
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find('\n', at), text.size());
    MapLine line;
    if (MapParser(text.data() + at, text.data() + end).parse(line)) maps.push_back(std::move(line));
    at = end + 1;
  }
  return maps;
}

std::map<uint64_t, std::string> readVmFlags(const std::string& who) {
  std::map<uint64_t, std::string> flags;
  std::istringstream lines(readFile("/proc/" + who + "/smaps"));
  uint64_t start = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.compare(0, 8, "VmFlags:") == 0) {
      flags[start] = line.substr(8) + " ";
    } else {
      unsigned long from, to;
      if (std::sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2) start = from;
    }
  }
  return flags;
}

pid_t virtualPid(pid_t pid) {
  std::string ids = readProcStatus(std::to_string(pid))["NSpid"];
  size_t last = ids.find_last_of(" \t");
  return std::atoi(ids.c_str() + (last == std::string::npos ? 0 : last + 1));
}

std::string processName(pid_t pid) {
  return "pid " + std::to_string(virtualPid(pid)) + " (" + readProcStat(std::to_string(pid)).comm + ")";
}

std::vector<std::string> listDirectoryIfThere(const std::string& path) {
  try {
    return listDirectory(path);
  } catch (const Error& error) {
    if (error.err() == ENOENT || error.err() == ESRCH) return {};
    throw;
  }
}

}  // namespace appshot
