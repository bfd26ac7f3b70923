// Pages of files that clones have from the beginning, since their zygote has them.
//
// A fork does not copy the page table of a private file mapping that has no memory of its own: each clone would take a fault for every
// sixteen pages of its program, 0.5 to 2 ms in all, before its first answer. The kernel tells such a mapping from others by whether
// something was ever written to it (vma->anon_vma), not by whether that is still there.
#pragma once

#include <sys/types.h>

#include <vector>

#include "restorer/tape.h"

namespace appshot {

// `read`: pages that clones of the zygote read. Makes the mappings that have many of them such as a fork copies, by writing what is
// there already to one page of each. Returns what the zygote has to do then, in this order: let go of these pages, and take all that
// is read. Throws Error where the zygote's memory cannot be written.
std::vector<PrefaultRun> inheritedByFork(pid_t zygote, const std::vector<PrefaultRun>& read);

}  // namespace appshot
