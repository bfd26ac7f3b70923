// What an instance finds in its view: furnished while the view is attached nowhere yet.
#pragma once

#include <string>

#include "core/pod/file_view.h"
#include "keeper/instance.h"

namespace appshot {

// Where an instance finds the library that is preloaded into its programs.
inline constexpr const char* kConfiguratorInView = "/run/appshot/configurator.so";

// For a new application: its own entries in passwd and group, a home, its directory writable, the configurator, mount points.
// Fills in where the mount points really are (a link in a path leads there), in `spec` and in `view`.
void furnishForLaunch(InstanceSpec& spec, FileView& view, const DetachedView& detached, const std::string& configurator);

// The instance's name in /etc/hostname and /etc/hosts of its layer, where both stand already (see berth.h).
void nameLayer(const std::string& aid, const std::string& layerRoot);

}  // namespace appshot
