// What /proc tells of one descriptor of a process.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace appshot {

// What the kernel puts behind the name of a file that has none any more.
constexpr std::string_view kDeletedMark = " (deleted)";

bool startsWith(std::string_view text, std::string_view start);
bool endsWith(std::string_view text, std::string_view end);

// /proc/PID/WHERE/FD; WHERE is "fd" or "fdinfo".
std::string fdPath(pid_t pid, int fd, const char* where);

// Value of the first line of an fdinfo file that starts with `name` ("pos:"); empty where there is none.
std::string infoField(const std::string& info, std::string_view name);

// The names of POSIX message queues look like those of files in the root directory.
bool isPosixQueue(pid_t pid, int fd);

}  // namespace appshot
