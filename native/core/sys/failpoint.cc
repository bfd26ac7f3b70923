#include "core/sys/failpoint.h"

#include <unistd.h>

#include <csignal>
#include <mutex>
#include <set>
#include <thread>

#include "core/sys/error.h"

namespace appshot {

namespace {

std::mutex mutex;
std::set<std::string> known;
std::string armed;
FailHow armedHow = FailHow::Error;
// What nobody waits for is done ahead, by threads of its own.
thread_local std::string scope = "ahead";

}  // namespace

void Failpoints::arm(const std::string& name, FailHow how) {
  std::lock_guard lock(mutex);
  armed = name;
  armedHow = how;
}

std::vector<std::string> Failpoints::reached() {
  std::lock_guard lock(mutex);
  return {known.begin(), known.end()};
}

bool Failpoints::isDue(const std::string& name, FailHow& how) {
  std::lock_guard lock(mutex);
  known.insert(name);
  if (armed != name) return false;
  armed.clear();
  how = armedHow;
  return true;
}

FailScope::FailScope(std::string_view operation) : before_(scope) { scope = operation; }

std::string FailScope::current() { return scope; }

FailScope::~FailScope() { scope = before_; }

void failNow(std::string_view phase) {
  std::string name = scope + ": " + std::string(phase);
  FailHow how;
  if (!Failpoints::isDue(name, how)) return;
  if (how == FailHow::Kill) ::kill(::getpid(), SIGKILL);
  if (how == FailHow::Pause) {
    std::this_thread::sleep_for(std::chrono::nanoseconds(kPauseNs));
    return;
  }
  throw Error("internal", "made to fail at '" + name + "'");
}

bool tapeFailsAt(const char* step, FailHow& how) {
  return Failpoints::enabled() && Failpoints::isDue(std::string("tape: ") + step, how);
}

}  // namespace appshot
