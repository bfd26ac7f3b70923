// What launch, restore and clone have in common: how an instance gets its files, its pod and its view.
#pragma once

#include <string>

#include "core/restore/prepared_wake.h"
#include "core/restore/restore.h"
#include "keeper/answers.h"
#include "keeper/instance.h"
#include "keeper/keeper.h"

namespace appshot {

enum class Furnishing {
  kNew,        // a launch: everything that a new application finds
  kFromImage,  // what is in the image's layers
};

// What the image says of its instances. Throws Error `image-invalid`.
InstanceSpec specOfImage(const Image& image);
// Fills in what the image says of an instance, and holds on to its layers. Throws Error `image-invalid`.
void describeFromImage(Keeper& keeper, const Image& image, Instance& instance);

// Directory, log, layer, pod (unless it has one) and view of `instance`, whose spec is filled in. What was made stays with the instance
// when it throws, for Keeper::forget or dismantle to take away.
void makeView(Keeper& keeper, Instance& instance, Furnishing furnishing, Stopwatch* watch = nullptr);

// As makeView from an image, for an instance that has no name yet.
void makeNamelessView(Keeper& keeper, Instance& instance, Stopwatch* watch = nullptr);
// Gives its name to an instance that was made without: its directory, its log, its files. Before its program runs.
void nameInstance(Keeper& keeper, const Instance& instance);

// Gives an instance all that it had when it was made without being in the table.
void inherit(Instance& instance, const Instance& unborn);

// Begins to bring `instance`, of which only the names are known, back out of its image. Its processes wait until they are let go.
// Throws Error; what was made stays with the instance.
std::unique_ptr<WakeUnderWay> beginWake(Keeper& keeper, Instance& instance, Stopwatch* watch = nullptr);
// Once nobody waits: opens and checks an image, makes a berth for its next instance and, where it will be woken rather than
// cloned, works out how.
void prepareArrivals(Keeper& keeper, const std::string& image, bool willWake);

// The instance's processes run, or are about to: writes it down, watches it.
void watchOver(Keeper& keeper, const InstancePtr& instance);
// What it needs of cgroups and mounts and no visitor should wait for: 7 to 15 ms.
void settleCgroups(const Instance& instance);
// Both, the second once nobody waits.
void settle(Keeper& keeper, const InstancePtr& instance);
// Lets operations see it.
void open(Keeper& keeper, const InstancePtr& instance);

}  // namespace appshot
