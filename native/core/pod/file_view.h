// The composite file view of an instance: overlays of its own layer above those of its image above the host's files.
#pragma once

#include <string>
#include <vector>

#include "core/pod/pod.h"
#include "core/sys/unique_fd.h"

namespace appshot {

// One overlay. All paths are the keeper's.
struct ViewTree {
  std::string at;                    // where in the view: "/" or the application's directory
  std::vector<std::string> lowers;   // uppermost first
  std::string upper, work;           // existing directories
};

// A file or directory of the host, shown as it is.
struct ViewBind {
  std::string from, at;
  bool readOnly = false;
};

struct FileView {
  std::vector<ViewTree> trees;       // the first is "/"
  std::vector<ViewBind> binds;
  std::string hostName;              // of the pod, too
};

// The trees of a view, mounted but nowhere attached yet: what is below the descriptors can be furnished before an
// application sees it.
struct DetachedView {
  std::vector<UniqueFd> trees;       // as in FileView
};

DetachedView mountTrees(const FileView& view);

// Puts the view into the pod, whose processes (there is only the init) then have nothing else. Mount points must exist.
// Runs on a thread of its own root and cwd (see InNamespaces).
void showView(const FileView& view, const DetachedView& detached, const Pod& pod);

// The host name that the pod's programs see.
void setHostName(const Pod& pod, const std::string& name);

// The view's root directory. Not what /proc/INIT/root shows: the init itself stays below the view.
UniqueFd openView(const Pod& pod);

// A new overlay that is attached nowhere.
UniqueFd mountOverlay(const std::vector<std::string>& lowers, const std::string& upper, const std::string& work);

}  // namespace appshot
