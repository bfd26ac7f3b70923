// Works out the file view of an instance and furnishes it.
#pragma once

#include <memory>
#include <string>

#include "core/pod/base_view.h"
#include "core/pod/file_view.h"
#include "keeper/instance.h"
#include "keeper/layer_store.h"
#include "keeper/places.h"

namespace appshot {

// A view that is mounted but in no pod yet, and what it was made from.
struct PreparedView {
  FileView view;
  DetachedView detached;
  std::vector<std::shared_ptr<BaseView>> bases;
};

// Mounts the trees of an instance: its own layer, those of its image, the host's. Makes the work directories below those of
// `aid`, which must exist.
PreparedView prepareView(const std::string& aid, const InstanceSpec& spec, const std::string& layer, BaseViews& bases,
                         const LayerStore& layers, const Places& places);

// What a new application finds: its own entries in passwd and group, a home, its directory writable, mount points. Fills in
// where the mount points really are (a link in a path leads there).
void furnishForLaunch(InstanceSpec& spec, PreparedView& prepared);

// The instance's name in /etc/hostname and /etc/hosts.
void furnishName(const std::string& aid, const PreparedView& prepared);

}  // namespace appshot
