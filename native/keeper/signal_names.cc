#include "keeper/signal_names.h"

#include <signal.h>
#include <string.h>

#include <cstdlib>

#include "core/sys/error.h"

namespace appshot {

std::string signalName(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : "SIG" + std::to_string(signal);
}

int signalNumber(const std::string& name) {
  std::string wanted = name.rfind("SIG", 0) == 0 ? name.substr(3) : name;
  for (int signal = 1; signal < 65; ++signal) {
    const char* known = ::sigabbrev_np(signal);
    if ((known != nullptr && wanted == known) || wanted == std::to_string(signal)) return signal;
  }
  throw Error("bad-request", "'" + name.substr(0, 40) + "' is no signal: use a name (TERM, HUP, USR1…) or a number from 1 to 64");
}

}  // namespace appshot
