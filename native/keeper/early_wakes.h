// Wakes that were begun when a visitor came, while others still decide whether the instance shall wake: its memory is filled
// meanwhile, and nothing of it runs. Who then restores the instance only lets it go; if nobody does, it is given up.
#pragma once

#include <netinet/in.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/pod/quiet.h"
#include "core/restore/prepared_wake.h"
#include "keeper/instance.h"

namespace appshot {

class Keeper;

struct EarlyWake {
  InstancePtr instance;                  // in no table yet
  std::unique_ptr<WakeUnderWay> wake;
  std::unique_ptr<Quiet::Urgent> urgent;
};

class EarlyWakes {
 public:
  explicit EarlyWakes(Keeper& keeper) : keeper_(keeper) {}

  // Begins to wake `aid` out of its image, and returns the address under which it can be connected to from then on. Does nothing where
  // it runs, is being woken, or enough others wait, and then there is none. Throws Error, and then leaves nothing behind.
  std::optional<in_addr> begin(const std::string& aid);
  // Hands out what was begun, waiting for what is just being begun or given up. The caller has put `aid` into the table of
  // instances before, so that nothing more is begun.
  std::optional<EarlyWake> take(const std::string& aid);
  void close();

 private:
  enum class Stage { kBeginning, kHeld, kEnding };
  struct Entry {
    Stage stage = Stage::kBeginning;
    EarlyWake wake;
    double untilUs = 0;
  };
  using Entries = std::map<std::string, Entry>;

  bool enter(const std::string& aid);
  bool mayBeGivenUp(const std::string& aid);
  EarlyWake make(const std::string& aid);
  void giveUpLate();
  void giveUp(std::unique_lock<std::mutex>& lock, Entries::iterator entry);

  Keeper& keeper_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Entries entries_;
  std::thread thread_;                   // gives up those that nobody wants
  bool closing_ = false;
};

}  // namespace appshot
