// The one door for system calls: names the step, retries EINTR, throws Error.
#pragma once

#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "core/sys/error.h"
#include "core/sys/unique_fd.h"

namespace appshot {

// Runs `call` (a lambda that returns -1 and sets errno on failure) until it is not interrupted.
template <typename Call>
auto sys(std::string_view step, Call&& call) -> decltype(call()) {
  for (;;) {
    auto result = call();
    if (result != static_cast<decltype(result)>(-1)) return result;
    if (errno != EINTR) throwErrno(std::string(step), errno);
  }
}

// As sys(), for a call that makes a descriptor.
template <typename Call>
UniqueFd sysFd(std::string_view step, Call&& call) {
  return UniqueFd(static_cast<int>(sys(step, std::forward<Call>(call))));
}

// Whole file as text; for /proc and other small files. Throws Error.
std::string readFile(const std::string& path);
// As readFile, but empty where the file does not exist or the process is gone (ENOENT, ESRCH).
std::string readFileIfThere(const std::string& path);
// Writes `text` in one write(); for /proc, /sys and cgroup files, which take nothing else.
void writeFile(const std::string& path, std::string_view text);
// Writes all of it, to a descriptor.
void writeAll(int fd, const void* from, size_t bytes, std::string_view step);
// The target of a symbolic link, empty where there is none.
std::string readLink(const std::string& path);
// Names in a directory, without "." and "..".
std::vector<std::string> listDirectory(const std::string& path);

// CLOCK_MONOTONIC in microseconds.
double monotonicUs();
// Microseconds since 1970.
double timeOfDayUs();

}  // namespace appshot
