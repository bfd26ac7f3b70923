// The one place where tests make the engine fail: every phase of every operation, and every step of a restorer's tape, is a
// failpoint with a name. Off, as it always is outside of tests, one costs the reading of a flag.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace appshot {

enum class FailHow {
  Error,  // throws Error `internal`
  Kill,   // this process gets SIGKILL
  Pause,  // takes 300 ms longer, for races
};

inline constexpr int64_t kPauseNs = 300'000'000;

class Failpoints {
 public:
  // From now on steps are remembered, and can be armed.
  static void enable() { enabled_ = true; }
  static bool enabled() { return enabled_.load(std::memory_order_relaxed); }

  // The step fails the next time it is reached, once. An empty name arms nothing any more.
  static void arm(const std::string& name, FailHow how);
  // Names of all steps that were reached so far, sorted.
  static std::vector<std::string> reached();

  // Remembers the step; true when it is armed, which it is not any more then.
  static bool isDue(const std::string& name, FailHow& how);

 private:
  static inline std::atomic<bool> enabled_{false};
};

// The operation that the calling thread works for: the first half of its steps' names.
class FailScope {
 public:
  explicit FailScope(std::string_view operation);
  ~FailScope();
  // Of the calling thread: to be handed to one that works for it.
  static std::string current();
  FailScope(const FailScope&) = delete;
  FailScope& operator=(const FailScope&) = delete;

 private:
  std::string before_;
};

void failNow(std::string_view phase);

// "OPERATION: phase" ends here in failure, when a test wants it so. Throws Error.
inline void failpoint(std::string_view phase) {
  if (Failpoints::enabled()) failNow(phase);
}

// Whether the step "tape: step" is to fail, or to pause, in the process that will run the tape.
bool tapeFailsAt(const char* step, FailHow& how);

}  // namespace appshot
