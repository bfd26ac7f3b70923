// Signals by name ("SIGTERM", "TERM") and number.
#pragma once

#include <string>

namespace appshot {

std::string signalName(int signal);
// Throws Error `bad-request`.
int signalNumber(const std::string& name);

}  // namespace appshot
