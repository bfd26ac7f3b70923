// Overlayfs copies a file into an instance's own layer when it is opened for writing. For what a program has open (a database, its
// log) every wake would wait for that; so it is done to the berth, ahead.
#pragma once

#include <string>
#include <vector>

#include "keeper/berth.h"
#include "keeper/instance.h"

namespace appshot {

// Has these files (paths inside) copied into the berth's layer: those that are regular files of the view, no volume's, and as long
// as they are not too much for the disk. The others are copied when the program wakes.
void copyAhead(const Berth& berth, const InstanceSpec& spec, const std::vector<std::string>& paths);

}  // namespace appshot
