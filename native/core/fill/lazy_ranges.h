// Which memory may be missing when its program runs.
#pragma once

#include "core/image/model.h"

namespace appshot {

// Stacks are written to before the program runs, and locked memory may not fault: both are filled at once.
bool mayBeLazy(const Process& process, const Vma& vma);

}  // namespace appshot
