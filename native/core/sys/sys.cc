#include "core/sys/sys.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <ctime>
#include <memory>

namespace appshot {

void throwErrno(const std::string& step, int err) {
  const char* code = err == ENOSPC || err == EDQUOT ? "disk-full" : "internal";
  throw Error(code, step + ": " + std::strerror(err), err);
}

static std::string readDescriptor(int fd, const std::string& path) {
  std::string text;
  char buffer[16384];
  for (;;) {
    ssize_t n = sys("read " + path, [&] { return ::read(fd, buffer, sizeof buffer); });
    if (n == 0) return text;
    text.append(buffer, static_cast<size_t>(n));
  }
}

std::string readFile(const std::string& path) {
  UniqueFd fd = sysFd("open " + path, [&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
  return readDescriptor(fd.get(), path);
}

std::string readFileIfThere(const std::string& path) {
  try {
    return readFile(path);
  } catch (const Error& error) {
    if (error.err() == ENOENT || error.err() == ESRCH) return {};
    throw;
  }
}

void writeFile(const std::string& path, std::string_view text) {
  UniqueFd fd = sysFd("open " + path, [&] { return ::open(path.c_str(), O_WRONLY | O_CLOEXEC); });
  sys("write '" + std::string(text) + "' to " + path, [&] { return ::write(fd.get(), text.data(), text.size()); });
}

void writeAll(int fd, const void* from, size_t bytes, std::string_view step) {
  auto* at = static_cast<const char*>(from);
  while (bytes > 0) {
    ssize_t n = sys(step, [&] { return ::write(fd, at, bytes); });
    at += n;
    bytes -= static_cast<size_t>(n);
  }
}

std::string readLink(const std::string& path) {
  std::string target(4096, '\0');
  ssize_t n = ::readlink(path.c_str(), target.data(), target.size());
  if (n < 0) return {};
  target.resize(static_cast<size_t>(n));
  return target;
}

std::vector<std::string> listDirectory(const std::string& path) {
  std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
  if (!directory) throwErrno("open directory " + path, errno);
  std::vector<std::string> names;
  while (dirent* entry = ::readdir(directory.get())) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  return names;
}

double timeOfDayUs() {
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

double monotonicUs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

}  // namespace appshot
