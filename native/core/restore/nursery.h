// The process that makes processes: see restorer/nursery.c and restorer/serve.h.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/image/model.h"
#include "core/pod/pod.h"
#include "core/restore/compile.h"
#include "core/restore/restore.h"
#include "core/sys/unique_fd.h"

namespace appshot {

// Values of Status::done.
enum Arrival : uint32_t { kRuns = 1, kFailed = 2, kAtGate = 3 };

// The shared page through which new processes report; one for each restore or clone.
class StatusPage {
 public:
  StatusPage();
  ~StatusPage();
  StatusPage(const StatusPage&) = delete;
  StatusPage& operator=(const StatusPage&) = delete;

  int fd() const { return fd_.get(); }
  const Status& status() const { return *status_; }
  // Waits until everything runs, or waits at the gate. Throws Error that names the step which failed, or that nothing was heard
  // within `withinMs`.
  void wait(const std::vector<std::string>& steps, int withinMs, Arrival until = kRuns) const;
  // wait() says what.
  bool hasFailed() const;
  // Lets the processes that all wait at the gate go on. They may have failed since.
  void openGate();
  // Lets those go on that are at this gate or come to it.
  void open(GateKind gate);
  // Nothing is left that could say so.
  void sayRuns();
  // The pod shows the instance's files.
  void furnish();
  // Waits until they are open, or something has failed, which wait() will say.
  void awaitFiles(int withinMs) const;

 private:
  UniqueFd fd_;
  Status* status_ = nullptr;
};

// The other end of a nursery's or zygote's socket, which does one request after the other. Several threads may use it.
class CommandSocket {
 public:
  explicit CommandSocket(UniqueFd socket) : socket_(std::move(socket)) {}

  struct Descriptors {
    int pod = -1, cgroup = -1, tape = -1, status = -1, pages = -1, extra = -1, duplicates = -1, base = -1;
    std::vector<int> v1;
  };
  // Returns the new process's pid as the kernel gave it: virtual in a pod. Throws Error.
  pid_t send(Command command, const Descriptors& descriptors) { return await(ask(command, descriptors)); }
  // The same in two steps: what ask() returns, await() has to be called with, once. Throw Error.
  uint64_t ask(Command command, const Descriptors& descriptors);
  pid_t await(uint64_t request);

 private:
  UniqueFd socket_;
  std::mutex asking_;
  uint64_t asked_ = 0;
  std::mutex hearing_;
  uint64_t heard_ = 0;
  std::map<uint64_t, int64_t> answers_;  // that others wait for
};

class Nursery {
 public:
  // The one of this process, started on first use.
  static Nursery& instance();

  CommandSocket& socket() { return *socket_; }

 private:
  Nursery();
  std::unique_ptr<CommandSocket> socket_;
};

// How many there are that have not ended.
size_t liveProcesses(const State& state);
// What has to be added to the node's clocks so that the instance's go on from where they stood.
std::string clockOffsets(const State& state);
// A command for a new process inside `pod`.
Command podCommand(CommandKind kind, const State& state, const Pod& pod);
CommandSocket::Descriptors podDescriptors(const Pod& pod, int status);
// Host pid of the pod's process with this virtual pid, a child of its init.
pid_t findInPod(const Pod& pod, pid_t virtualPid);

}  // namespace appshot
