#include "core/launch/readiness.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>

#include "core/sys/sys.h"

namespace appshot {

namespace {

bool waitFor(int fd, short event, double deadlineUs) {
  pollfd poll{fd, event, 0};
  for (;;) {
    int left = static_cast<int>((deadlineUs - monotonicUs()) / 1000);
    if (left <= 0) return false;
    int n = ::poll(&poll, 1, left);
    if (n > 0) return true;
    if (n == 0 || errno != EINTR) return false;
  }
}

bool connectTo(int fd, in_addr address, int port, double deadlineUs) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr = address;
  to.sin_port = htons(static_cast<uint16_t>(port));
  if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0) return true;
  if (errno != EINPROGRESS || !waitFor(fd, POLLOUT, deadlineUs)) return false;
  int err = 0;
  socklen_t length = sizeof err;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &length) == 0 && err == 0;
}

// The status of the answer, 0 without one.
int statusFor(int fd, const std::string& request, double deadlineUs) {
  if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) return 0;
  std::string head;
  while (head.size() < 12) {
    char buffer[256];
    if (!waitFor(fd, POLLIN, deadlineUs)) return 0;
    ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) return 0;
    head.append(buffer, static_cast<size_t>(n));
  }
  return head.rfind("HTTP/1.", 0) == 0 ? std::atoi(head.c_str() + 9) : 0;
}

}  // namespace

bool answersOnce(in_addr address, int port, const std::string& path, int withinMs) {
  double deadlineUs = monotonicUs() + withinMs * 1000.0;
  UniqueFd fd = sysFd("make socket", [] { return ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); });
  if (!connectTo(fd.get(), address, port, deadlineUs)) return false;
  if (path.empty()) return true;
  std::string request = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: appshot-ready\r\nConnection: close\r\n\r\n";
  int status = statusFor(fd.get(), request, deadlineUs);
  return status >= 100 && status < 500;
}

int postOnce(in_addr address, int port, const HttpPost& post, int withinMs) {
  double deadlineUs = monotonicUs() + withinMs * 1000.0;
  UniqueFd fd = sysFd("make socket", [] { return ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); });
  if (!connectTo(fd.get(), address, port, deadlineUs)) return 0;
  std::string request = "POST " + post.path + " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: appshot-clone\r\nContent-Type: " + post.contentType +
                        "\r\nContent-Length: " + std::to_string(post.body.size()) + "\r\nConnection: close\r\n\r\n" + post.body;
  return statusFor(fd.get(), request, deadlineUs);
}

}  // namespace appshot
