#include "keeper/daemon.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "core/sys/sys.h"

namespace appshot {

namespace {

constexpr char kReady = 'r', kFailed = 'f';

[[noreturn]] void waitForOutcome(int pipe) {
  std::string said;
  char buffer[1024];
  for (ssize_t n; (n = ::read(pipe, buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR);) {
    if (n > 0) said.append(buffer, static_cast<size_t>(n));
  }
  if (!said.empty() && said[0] == kReady) ::_exit(0);
  if (said.size() > 1) std::fprintf(stderr, "%s\n", said.c_str() + 1);
  else std::fprintf(stderr, "internal the keeper ended before it was ready\n");
  ::_exit(1);
}

bool isSameFile(int fd, const std::string& path) {
  struct stat open {}, there {};
  return ::fstat(fd, &open) == 0 && ::stat(path.c_str(), &there) == 0 && open.st_ino == there.st_ino && open.st_dev == there.st_dev;
}

}  // namespace

void Daemon::detach(const std::string& log) {
  // Whatever the starting process had open is none of the keeper's business, and might never be closed for others.
  ::syscall(SYS_close_range, 3, ~0u, 0);
  int pipe[2];
  sys("make pipe", [&] { return ::pipe2(pipe, O_CLOEXEC); });
  pid_t child = sys("fork", [] { return ::fork(); });
  if (child != 0) {
    ::close(pipe[1]);
    waitForOutcome(pipe[0]);
  }
  ::close(pipe[0]);
  report_ = UniqueFd(pipe[1]);
  ::setsid();
  if (sys("fork", [] { return ::fork(); }) != 0) ::_exit(0);
  log_ = log;
  sys("change to /", [] { return ::chdir("/"); });
  UniqueFd nothing = sysFd("open /dev/null", [] { return ::open("/dev/null", O_RDWR | O_CLOEXEC); });
  UniqueFd out = sysFd("open " + log, [&] { return ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600); });
  ::dup2(nothing.get(), 0);
  ::dup2(out.get(), 1);
  ::dup2(out.get(), 2);
}

bool Daemon::lock(const std::string& path) {
  constexpr int kTries = 100;
  for (int i = 0; i < kTries; ++i) {
    UniqueFd fd = sysFd("open " + path, [&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600); });
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
      // The one before may have removed the file between the opening and the locking.
      if (!isSameFile(fd.get(), path)) continue;
      lock_ = std::move(fd);
      lockPath_ = path;
      return true;
    }
    // One that listens is there to stay; one that does not is starting or ending.
    std::string socket = path.substr(0, path.rfind('.')) + ".sock";
    struct stat st;
    if (::stat(socket.c_str(), &st) == 0 && i > 10) return false;
    ::usleep(20'000);
  }
  return false;
}

void Daemon::unlock() {
  struct stat st;
  if (!log_.empty() && ::stat(log_.c_str(), &st) == 0 && st.st_size == 0) ::unlink(log_.c_str());
  ::unlink(lockPath_.c_str());
  lock_.reset();
}

void Daemon::report(char outcome, const std::string& text) {
  if (!report_.valid()) return;
  std::string message = outcome + text;
  [[maybe_unused]] ssize_t n = ::write(report_.get(), message.data(), message.size());
  report_.reset();
}

void Daemon::ready() { report(kReady, ""); }

void Daemon::failed(const std::string& code, const std::string& why) {
  std::fprintf(stderr, "appshot-keeper: %s\n", why.c_str());
  report(kFailed, code + " " + why);
}

}  // namespace appshot
