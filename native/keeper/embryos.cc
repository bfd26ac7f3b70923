#include "keeper/embryos.h"

#include <signal.h>

#include <algorithm>
#include <cstdio>

#include "core/pod/file_view.h"
#include "core/sys/error.h"
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
      if (waiting_.empty()) return std::nullopt;
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
      if (waiting_.size() >= count) return;
    }
    try {
      Unborn unborn = makeUnborn(keeper_, resident, "");
      settleCgroups(*unborn.instance);
      unborn.isSettled = true;
      std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(unborn));
    } catch (const Error& error) {
      // All addresses are in use: those who need one go first.
      if (error.code() != "no-address") std::fprintf(stderr, "make a clone of %s in advance: %s\n", resident.imageId.c_str(), error.what());
      return;
    }
  }
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
