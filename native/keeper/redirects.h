// REDIR: dynamic symbolic links in an instance's view (ADR 0105).
#pragma once

#include "keeper/instance.h"

namespace appshot {

// Throws Error `bad-request` for rules that cannot be followed: a path that is redirected is the program's own directory, or in a
// volume; a file in a volume is to be each instance's own; the application's own port is to be hidden.
void checkRedirects(const InstanceSpec& spec);

// Once the instance's view is in its pod, before a program of it runs. For a launch each redirected path becomes a link to its
// entry below /run/appshot/self/redirect; images have it in their layers then. Where a link leads and nothing stands there yet,
// a copy is made of what stood at the path (launch) or at the place of the instance that was saved: a clone starts as an exact
// copy. Paths that are to be duplicated are copied into the instance's layer at launch. Throws Error.
void placeRedirects(Instance& instance, bool isLaunch);

// Where the instance's redirected paths lead, in the order of its rules.
std::vector<std::string> redirectPlaces(const Instance& instance);

}  // namespace appshot
