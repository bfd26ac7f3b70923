// Keeps work that nobody waits for out of the way of work that somebody waits for. Making and unmaking pods and moving
// processes between cgroups hold locks of the kernel for milliseconds, on which a wake would hang.
#pragma once

#include <condition_variable>
#include <mutex>

namespace appshot {

class Quiet {
 public:
  // Urgent work goes on while it lives.
  class Urgent {
   public:
    explicit Urgent(Quiet& quiet) : quiet_(quiet) { quiet_.begin(); }
    ~Urgent() { quiet_.end(); }
    Urgent(const Urgent&) = delete;
    Urgent& operator=(const Urgent&) = delete;

   private:
    Quiet& quiet_;
  };

  // Waits until nothing has been urgent for a moment; at most `mostMs`, for a node may always be busy.
  void await(int mostMs);

 private:
  void begin();
  void end();

  std::mutex mutex_;
  std::condition_variable changed_;
  int urgent_ = 0;
  double calmSinceUs_ = 0;
};

}  // namespace appshot
