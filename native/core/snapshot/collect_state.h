// Everything of a stopped tree but the contents of its private memory.
#pragma once

#include <map>

#include "core/image/image.h"
#include "core/image/model.h"
#include "core/pod/pod.h"
#include "core/snapshot/collect_process.h"
#include "core/snapshot/course.h"
#include "core/snapshot/path_finder.h"
#include "core/snapshot/stopped_tree.h"

namespace appshot {

// `previews`: by host pid, read before the stop; a process that is new since is looked at now. `paths` knows the
// files that are watched. Shared memory goes into `pages`.
State collectState(StoppedTree& tree, const Pod& pod, const std::map<pid_t, ProcessPreview>& previews, const PathFinder& paths,
                   PageWriter& pages, Course& course);

// Parents before children, as an image has them.
void sortProcesses(std::vector<Process>& processes);

}  // namespace appshot
