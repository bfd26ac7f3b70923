// rids: what instances call their resources, beside what the node calls them.
#pragma once

#include "keeper/operations.h"

namespace appshot {

// {aid?, type?, virtual?, system?}: rows that match all that is given, of one instance or of all.
Answer listResourceIds(Call call);

}  // namespace appshot
