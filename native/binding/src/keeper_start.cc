#include "keeper_start.h"

#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>

#include "core/sys/sys.h"
#include "keeper/places.h"
#include "keeper/wire.h"

namespace appshot {

namespace {

// Invalid when no keeper listens.
UniqueFd tryConnect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw Error("bad-request", "the engine's directory has too long a path for a socket: " + path);
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  UniqueFd socket = sysFd("make socket", [] { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); });
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return socket;
  if (errno == ENOENT || errno == ECONNREFUSED || errno == EAGAIN || errno == ENOTDIR) return {};
  throwErrno("connect to " + path, errno);
}

// A keeper that is about to end accepts, but does not answer.
bool answers(int socket, int bell) {
  timeval limit{30, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  try {
    sendMessage(socket, R"({"id":0,"method":"hello","params":{}})", {bell});
    if (!receiveMessage(socket)) return false;
  } catch (const Error&) {
    return false;
  }
  limit = {0, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return true;
}

[[noreturn]] void throwStartFailure(const std::string& said, int status) {
  std::string line = said.substr(0, said.find_last_not_of('\n') + 1);
  size_t space = line.find(' ');
  if (WIFEXITED(status) && space != std::string::npos) {
    throw Error(line.substr(0, space), "the engine's keeper cannot be started: " + line.substr(space + 1));
  }
  if (WIFSIGNALED(status)) throw Error("unavailable", "the engine's keeper was killed as it started, by signal " + std::to_string(WTERMSIG(status)));
  throw Error("internal", "the engine's keeper cannot be started: " + line);
}

void startKeeper(const std::string& directory, const std::string& program) {
  int pipe[2];
  sys("make pipe", [&] { return ::pipe2(pipe, O_CLOEXEC); });
  UniqueFd read(pipe[0]), write(pipe[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, write.get(), 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const char* argv[] = {program.c_str(), "--dir", directory.c_str(), nullptr};
  pid_t pid = -1;
  int err = ::posix_spawn(&pid, program.c_str(), &actions, &attributes, const_cast<char**>(argv), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (err != 0) throwErrno("start " + program, err);
  write.reset();
  std::string said;
  char buffer[1024];
  for (ssize_t n; (n = sys("read what the keeper says", [&] { return ::read(read.get(), buffer, sizeof buffer); })) > 0;) {
    said.append(buffer, static_cast<size_t>(n));
  }
  int status = 0;
  sys("wait for the keeper's start", [&] { return ::waitpid(pid, &status, 0); });
  if (status != 0) throwStartFailure(said, status);
}

}  // namespace

KeeperSocket connectToKeeper(const std::string& directory, const std::string& keeperProgram) {
  constexpr int kTries = 5;
  for (int i = 0; i < kTries; ++i) {
    KeeperSocket made{tryConnect(Places{directory}.socket()), makeBell()};
    if (made.socket.valid() && answers(made.socket.get(), made.bell.get())) return made;
    made.socket.reset();
    startKeeper(directory, keeperProgram);
  }
  throw Error("unavailable", "the engine's keeper in " + directory + " does not answer");
}

}  // namespace appshot
