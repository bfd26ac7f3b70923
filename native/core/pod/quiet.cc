#include "core/pod/quiet.h"

#include <algorithm>
#include <chrono>

#include "core/sys/sys.h"

namespace appshot {

void Quiet::begin() {
  std::lock_guard lock(mutex_);
  ++urgent_;
}

void Quiet::end() {
  std::lock_guard lock(mutex_);
  if (--urgent_ == 0) calmSinceUs_ = monotonicUs();
  changed_.notify_all();
}

void Quiet::await(int mostMs) {
  constexpr double kCalmUs = 30'000;
  double deadlineUs = monotonicUs() + mostMs * 1000.0;
  std::unique_lock lock(mutex_);
  for (;;) {
    double now = monotonicUs();
    double untilUs = urgent_ > 0 ? deadlineUs : std::min(deadlineUs, calmSinceUs_ + kCalmUs);
    if (now >= untilUs) return;
    changed_.wait_for(lock, std::chrono::microseconds(static_cast<long>(untilUs - now) + 1));
  }
}

}  // namespace appshot
