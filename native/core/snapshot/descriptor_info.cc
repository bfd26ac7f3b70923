#include "core/snapshot/descriptor_info.h"

#include <sys/vfs.h>

#include <sstream>

namespace appshot {

bool startsWith(std::string_view text, std::string_view start) { return text.substr(0, start.size()) == start; }

bool endsWith(std::string_view text, std::string_view end) { return text.size() >= end.size() && text.substr(text.size() - end.size()) == end; }

std::string fdPath(pid_t pid, int fd, const char* where) { return "/proc/" + std::to_string(pid) + "/" + where + "/" + std::to_string(fd); }

std::string infoField(const std::string& info, std::string_view name) {
  std::istringstream lines(info);
  for (std::string line; std::getline(lines, line);)
    if (startsWith(line, name)) {
      size_t value = line.find_first_not_of(" \t", name.size());
      return value == std::string::npos ? "" : line.substr(value);
    }
  return "";
}

bool isPosixQueue(pid_t pid, int fd) {
  constexpr long kMqueue = 0x19800202;  // MQUEUE_MAGIC
  struct statfs system{};
  return ::statfs(fdPath(pid, fd, "fd").c_str(), &system) == 0 && system.f_type == kMqueue;
}

}  // namespace appshot
