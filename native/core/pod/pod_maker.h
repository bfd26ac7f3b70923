// Makes pods and unmakes them.
#pragma once

#include <netinet/in.h>

#include <string>

#include "core/pod/cgroup.h"
#include "core/pod/network.h"
#include "core/pod/pod.h"

namespace appshot {

class PodMaker {
 public:
  // `stage`: an existing directory, for makeBareNamespace().
  PodMaker(std::string owner, std::string stage, const CgroupTree& cgroups, const NodeNetwork& network)
      : owner_(std::move(owner)), stage_(std::move(stage)), cgroups_(cgroups), network_(network) {}

  // Reads the init's executable into memory, so that replacing the file does not touch pods to come. Throws Error.
  void start(const std::string& initPath);

  // 1-2 ms. Throws Error, and then leaves nothing behind.
  Pod make(unsigned number, in_addr address) const;

  // Packets for this address reach the pod from now on instead. Throws Error.
  void readdress(Pod& pod, in_addr address) const;

  // Kills every process in the pod and takes back its interface and cgroup. Waits until they are gone; throws nothing.
  // Its descriptors stay open until the Pod itself goes: somebody may still be looking at it.
  void destroy(Pod& pod) const;

 private:
  Pod startInit(unsigned number, const PodCgroup& cgroup) const;

  std::string owner_;
  std::string stage_;
  const CgroupTree& cgroups_;
  const NodeNetwork& network_;
  UniqueFd init_;
  UniqueFd bare_;  // mount namespace
};

// Waits until the process behind a pidfd has ended; reaps it when it is a child of this process.
void awaitEnd(int pidfd);

}  // namespace appshot
