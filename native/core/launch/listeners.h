// Where a program listens, when it is not where it should be: for an error that tells what to change.
#pragma once

#include <string>
#include <vector>

namespace appshot {

// A TCP socket that listens, as /proc/net/tcp or tcp6 shows it.
struct Listener {
  enum class Reach { kAnywhere, kAnywhereIpv6, kLoopback, kOneAddress };
  Reach reach = Reach::kAnywhere;
  std::string address;  // as people write it, without the port: 127.0.0.1, [::1]
  int port = 0;
};

// Those in the text of /proc/PID/net/tcp and of tcp6.
std::vector<Listener> listenersIn(const std::string& tcp, const std::string& tcp6);
// What there is to be said of a program that should answer on `port` and does not, as the end of a sentence.
std::string whyUnreachable(const std::vector<Listener>& listeners, int port);
// The same of the network namespace of a process.
std::string whyUnreachable(int pid, int port);

}  // namespace appshot
