// A berth: everything of an instance's files that does not depend on which instance it will be. Its own layer, the overlays'
// work directories, an empty log, and the trees mounted above an image's layers. Makes of files take 0.2 ms each on some file
// systems, and there are twenty; so berths are made in advance for images that may wake.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/pod/base_view.h"
#include "core/pod/file_view.h"
#include "keeper/instance.h"
#include "keeper/layer_store.h"
#include "keeper/places.h"

namespace appshot {

struct Berth {
  std::string id;                        // of its layer, and of its directory until somebody moves in
  std::vector<ViewTree> trees;
  DetachedView detached;
  std::vector<std::shared_ptr<BaseView>> bases;
};

// Makes a berth for instances of `spec`. Throws Error, and then leaves nothing behind.
Berth makeBerth(const InstanceSpec& spec, BaseViews& bases, LayerStore& layers, const Places& places);

// Gives the berth's directory to instance `aid`: log, state file and work directories. A log that is there already stays.
void moveIn(const Berth& berth, const std::string& aid, Janitor& janitor, const Places& places);

// Removes a berth that nobody moved into.
void scrap(const Berth& berth, LayerStore& layers, Janitor& janitor, const Places& places);

}  // namespace appshot
