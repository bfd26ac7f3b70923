#include "keeper/zygotes.h"

#include <atomic>

#include "core/restore/cloneable.h"
#include "keeper/arrival.h"
#include "keeper/keeper.h"

namespace appshot {

namespace {

// Ends a zygote in the background: nobody waits for that.
std::shared_ptr<ResidentZygote> makeResident(Keeper& keeper) {
  return {new ResidentZygote(keeper), [&keeper](ResidentZygote* resident) {
            resident->zygote.reset();
            if (resident->view) keeper.dismantle(resident->view);
            delete resident;
          }};
}

}  // namespace

std::shared_ptr<ResidentZygote> Zygotes::build(const std::string& imageId, const std::shared_ptr<Image>& image) {
  auto resident = makeResident(keeper_);
  resident->imageId = imageId;
  resident->image = image;
  requireCloneable(imageState(*image), specOfImage(*image).clone.duplicateRandomness);
  auto view = std::make_shared<Instance>();
  // No name of an instance begins with a dot. Numbered: the view of the image's last zygote may still be on its way out.
  static std::atomic<unsigned> made{0};
  view->aid = ".zygote-" + imageId + "-" + std::to_string(++made);
  view->image = imageId;
  resident->view = view;
  describeFromImage(keeper_, *image, *view);
  makeView(keeper_, *view, Furnishing::kFromImage);
  resident->zygote = Zygote::build(image, *view->pod);
  return resident;
}

std::shared_ptr<ResidentZygote> Zygotes::get(const std::string& imageId) {
  auto image = keeper_.images.open(imageId);
  std::mutex* building;
  {
    std::lock_guard lock(mutex_);
    auto found = resident_.find(imageId);
    if (found != resident_.end() && found->second->image == image) return found->second;
    auto& slot = building_[imageId];
    if (!slot) slot = std::make_unique<std::mutex>();
    building = slot.get();
  }
  // Whoever asks meanwhile waits for the one that is being built.
  std::lock_guard onlyOne(*building);
  {
    std::lock_guard lock(mutex_);
    auto found = resident_.find(imageId);
    if (found != resident_.end() && found->second->image == image) return found->second;
    if (found != resident_.end()) resident_.erase(found);
  }
  auto resident = build(imageId, image);
  std::lock_guard lock(mutex_);
  resident_[imageId] = resident;
  return resident;
}

void Zygotes::drop(const std::string& imageId) {
  std::shared_ptr<ResidentZygote> dropped;
  std::lock_guard lock(mutex_);
  auto found = resident_.find(imageId);
  if (found == resident_.end()) return;
  dropped = std::move(found->second);
  resident_.erase(found);
}

bool Zygotes::releaseEmbryos(const std::function<bool(const Unborn&)>& isMeant) {
  std::vector<std::shared_ptr<ResidentZygote>> all;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, resident] : resident_) all.push_back(resident);
  }
  bool any = false;
  for (const auto& resident : all) any = resident->embryos.release(isMeant) || any;
  return any;
}

void Zygotes::close() {
  std::map<std::string, std::shared_ptr<ResidentZygote>> all;
  {
    std::lock_guard lock(mutex_);
    all.swap(resident_);
  }
}

}  // namespace appshot
