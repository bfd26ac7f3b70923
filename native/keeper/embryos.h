// Clones made in advance: each has its pod, its view and its processes, and is nobody yet (see core/restore Embryo). Who wants a
// clone of the template only has to give one its name.
#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>

#include "core/restore/restore.h"
#include "keeper/answers.h"
#include "keeper/instance.h"

namespace appshot {

class Keeper;
struct ResidentZygote;

struct Unborn {
  InstancePtr instance;                  // without a name, and in no table
  std::shared_ptr<Embryo> embryo;
  size_t prefaulted = 0;                 // pages that it was given before it runs
  bool isSettled = false;                // its cgroups and mounts are as they stay
};

// Makes one now. Throws Error, and then leaves nothing behind. `name`: whose it will be; has to be known where its files depend on it.
Unborn makeUnborn(Keeper& keeper, ResidentZygote& resident, const std::string& name, Stopwatch* watch = nullptr);

// Those of one zygote.
class Embryos {
 public:
  explicit Embryos(Keeper& keeper) : keeper_(keeper) {}
  ~Embryos() { release([](const Unborn&) { return true; }); }

  std::optional<Unborn> take();
  // More are wanted than stood ready: makes them beside whoever waits for his, on another thread, until for a moment nobody has taken
  // one. Not kept from it by others who are in a hurry: this is for those.
  void stockUp(const std::shared_ptr<ResidentZygote>& resident);
  // Sees to it that there are `count`, and that they were made with what is known by now. Errors are nobody's: the next clone
  // tells them.
  void prepare(ResidentZygote& resident, size_t count);
  // Gives up those that are meant; false when there were none.
  bool release(const std::function<bool(const Unborn&)>& isMeant);

 private:
  void retireOutdated(size_t knownPages);
  void makeWhileWanted(ResidentZygote& resident);
  // False where none can be made now.
  bool makeOne(ResidentZygote& resident, bool settles);

  Keeper& keeper_;
  std::mutex preparing_;
  std::mutex mutex_;
  std::list<Unborn> waiting_;
  std::condition_variable taken_;
  double takenUs_ = 0;                   // when one was last wanted
  bool stockingUp_ = false;
};

}  // namespace appshot
