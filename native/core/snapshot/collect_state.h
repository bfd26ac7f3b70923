// Everything of a stopped tree but the contents of its private memory.
#pragma once

#include "core/image/image.h"
#include "core/image/model.h"
#include "core/pod/pod.h"
#include "core/snapshot/course.h"
#include "core/snapshot/preview.h"
#include "core/snapshot/stopped_tree.h"

namespace appshot {

// `preview`: seen before the stop; a process that is new since is looked at now. Shared memory goes into `pages`.
State collectState(StoppedTree& tree, const Pod& pod, const Preview& preview, PageWriter& pages, Course& course);

}  // namespace appshot
