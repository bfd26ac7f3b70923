// One running instance as the keeper knows it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/pod/cgroup.h"
#include "core/pod/file_view.h"
#include "core/pod/pod.h"
#include "core/restore/wake_options.h"
#include "core/template/evaluation.h"

namespace appshot {

// How a fresh clone is told of what it is, and what it has to do before it gets traffic.
struct CloneSettings {
  int signal = 0;                        // to the first process; 0: none
  std::string hook;                      // path that is asked over HTTP; empty: none
  int withinMs = 10'000;
  bool duplicateRandomness = false;      // clone programs whose random numbers cannot be renewed
  bool isGreeted() const { return signal != 0 || !hook.empty(); }
};

// What becomes of established connections to the outside when an instance sleeps.
enum class Connections {
  kAuto,   // kept for a while, if it comes back under the same address
  kKeep,   // kept for as long as it sleeps
  kReset,  // ended when it goes to sleep
};

// As they are called in requests and files. Throws Error `bad-request`.
Connections connectionsOf(const std::string& name);
const char* nameOf(Connections connections);

// Of a wish for compression: "" or "none", or "zstd".
bool isZstd(const std::string& name);

// What an instance is, apart from its processes: kept with its image, and the same for each clone.
struct InstanceSpec {
  std::string cwd;
  bool ownTreeForCwd = false;            // the base does not show cwd: it has an overlay of its own
  std::vector<std::string> layers;       // ids below the instance's own, uppermost first
  std::vector<ViewBind> binds;           // volumes, and files of the command that the base does not show
  std::vector<std::string> env;          // NAME=value as it was given, tags unevaluated
  std::vector<std::string> command;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  int port = 0;
  CgroupLimits limits;
  std::string name;                      // of the application
  std::vector<Rule> rules;               // kept as records of an image, not in its meta
  CloneSettings clone;
  Identity identity;                     // of the running instance; in an image, of the one that was saved
  unsigned generation = 0;               // how many clonings lie between the launch and this
  Connections connections = Connections::kAuto;
  bool asyncIo = false;                  // its programs may use io_uring and Linux AIO
  bool egress = false;                   // it may open connections to what is beyond the node
  bool compress = false;                 // the pages of the images that it sleeps as
};

enum class InstancePhase { kStarting, kRunning, kSnapshotting, kStopping };

struct Instance {
  // Set before the instance is in the table, or by the operation that holds `operation`.
  std::string aid;
  InstanceSpec spec;
  std::string layer;                     // its own, uppermost layer
  std::string image;                     // that it came from; empty after a launch
  bool isClone = false;                  // of the image, whose memory it shares with others
  Identity former;                       // of the instance whose image it came from; its own after a launch
  PodPtr pod;                            // null while kStarting; then never changed
  pid_t root = -1;                       // host pid of the application's first process
  int rootVpid = -1;

  bool environmentChanged = false;       // since it was saved: its programs have to be told
  OldAddress oldAddress;                 // under which its connections to the outside go on

  // Held for as long as an operation that starts, saves or ends it.
  std::mutex operation;

  // Below: under `mutex`.
  std::mutex mutex;
  std::condition_variable changed;
  InstancePhase phase = InstancePhase::kStarting;
  std::optional<int> rootStatus;         // as from wait(), once the first process has ended
  bool ended = false;                    // no process is left
  bool parked = false;                   // its pod is frozen
  std::optional<size_t> parkedProcesses;  // how many there are, while it is
  int guests = 0;                        // commands run beside the application

  // Somebody wants it gone: a launch that waits for it to be ready gives up.
  std::atomic<bool> unwanted{false};
  // CLOCK_MONOTONIC microseconds until which no snapshot begins: a cancellation may overtake the request it is meant for.
  double noSnapshotUntilUs = 0;

  // Set by cancelSnapshot, read by the snapshot that runs.
  std::atomic<bool> cancelSnapshot{false};
};

using InstancePtr = std::shared_ptr<Instance>;

class InstanceTable {
 public:
  // Throws Error `illegal-transition` when there is one of this name.
  InstancePtr add(const std::string& aid);
  // Throws Error `not-found`.
  InstancePtr get(const std::string& aid) const;
  InstancePtr find(const std::string& aid) const;
  void remove(const std::string& aid);
  std::vector<InstancePtr> all() const;
  size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, InstancePtr> instances_;
};

}  // namespace appshot
