#include "keeper/embryos.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

#include "core/pod/file_view.h"
#include "core/sys/sys.h"
#include "keeper/arrival.h"
#include "core/image/model.h"
#include "keeper/keeper.h"
#include "keeper/redirects.h"
#include "keeper/self.h"
#include "keeper/zygotes.h"

namespace appshot {

// Files that are open in the template are opened before a clone has its name; redirected ones only then lead to the right place.
static bool needsName(const Image& image) {
  const std::vector<Rule>& rules = imageState(image).rules;
  return std::any_of(rules.begin(), rules.end(), [](const Rule& rule) { return rule.is(RuleKind::Redirect); });
}

Unborn makeUnborn(Keeper& keeper, ResidentZygote& resident, const std::string& name, Stopwatch* watch) {
  Unborn unborn;
  unborn.instance = std::make_shared<Instance>();
  Instance& instance = *unborn.instance;
  // No name of an instance begins with a dot.
  instance.aid = ".unborn";
  instance.image = resident.imageId;
  instance.isClone = true;
  try {
    describeFromImage(keeper, *resident.image, instance);
    makeNamelessView(keeper, instance, watch);
    if (needsName(*resident.image)) {
      instance.aid = name;
      becomeItself(keeper, instance, keeper.places.berth(instance.layer) + "/self");
      placeRedirects(instance, false);
      instance.aid = ".unborn";
    }
    unborn.prefaulted = resident.zygote->knownPages();
    unborn.embryo = resident.zygote->fork(*instance.pod);
    instance.root = unborn.embryo->root();
    instance.rootVpid = unborn.embryo->rootVpid();
    if (watch != nullptr) watch->lap("fork");
    return unborn;
  } catch (...) {
    keeper.dismantle(unborn.instance);
    throw;
  }
}

std::optional<Unborn> Embryos::take() {
  for (;;) {
    Unborn unborn;
    {
      std::lock_guard lock(mutex_);
      takenUs_ = monotonicUs();
      if (waiting_.empty()) return std::nullopt;
      taken_.notify_all();
      unborn = std::move(waiting_.front());
      waiting_.pop_front();
    }
    // Nobody watches them: the kernel may have ended it for want of memory.
    if (::kill(unborn.instance->root, 0) == 0) return unborn;
    keeper_.dismantle(unborn.instance);
  }
}

void Embryos::prepare(ResidentZygote& resident, size_t count) {
  if (needsName(*resident.image)) return;
  std::lock_guard onlyOne(preparing_);
  retireOutdated(resident.zygote->knownPages());
  for (;;) {
    {
      std::lock_guard lock(mutex_);
      if (stockingUp_ || waiting_.size() >= count) return;
    }
    if (!makeOne(resident, true)) return;
  }
}

bool Embryos::makeOne(ResidentZygote& resident, bool settles) {
  try {
    Unborn unborn = makeUnborn(keeper_, resident, "");
    if (settles) settleCgroups(*unborn.instance);
    unborn.isSettled = settles;
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(unborn));
    return true;
  } catch (const Error& error) {
    // All addresses are in use: those who need one go first.
    if (error.code() != "no-address") std::fprintf(stderr, "make a clone of %s in advance: %s\n", resident.imageId.c_str(), error.what());
    return false;
  }
}

void Embryos::stockUp(const std::shared_ptr<ResidentZygote>& resident) {
  if (needsName(*resident->image)) return;
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(stockingUp_, true)) return;
  }
  bool runs = keeper_.workers.run([resident] { resident->embryos.makeWhileWanted(*resident); });
  std::lock_guard lock(mutex_);
  if (!runs) stockingUp_ = false;
}

void Embryos::makeWhileWanted(ResidentZygote& resident) {
  constexpr size_t kStock = 4;
  constexpr double kForUs = 50'000;
  std::unique_lock lock(mutex_);
  for (double leftUs; (leftUs = takenUs_ + kForUs - monotonicUs()) > 0;) {
    if (waiting_.size() >= kStock) {
      taken_.wait_for(lock, std::chrono::microseconds(static_cast<long>(leftUs) + 1));
      continue;
    }
    lock.unlock();
    bool made = makeOne(resident, false);
    lock.lock();
    if (!made) break;
  }
  stockingUp_ = false;
}

void Embryos::retireOutdated(size_t knownPages) {
  release([&](const Unborn& unborn) { return unborn.prefaulted < knownPages / 2; });
}

bool Embryos::release(const std::function<bool(const Unborn&)>& isMeant) {
  std::list<Unborn> released;
  {
    std::lock_guard lock(mutex_);
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      auto next = std::next(at);
      if (isMeant(*at)) released.splice(released.end(), waiting_, at);
      at = next;
    }
  }
  for (Unborn& unborn : released) keeper_.dismantle(unborn.instance);
  return !released.empty();
}

}  // namespace appshot
