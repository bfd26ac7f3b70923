// What every thread has for itself: registers, signals, credentials, names, scheduling.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/image/model.h"
#include "core/snapshot/remote_batch.h"
#include "core/snapshot/tracee.h"
#include "core/snapshot/waits.h"

namespace appshot {

// What only the thread itself can ask for; the calls are put into a batch, the answers read out of it.
class ThreadQuestions {
 public:
  explicit ThreadQuestions(RemoteBatch& batch);
  void answer(Thread& thread) const;

 private:
  RemoteBatch& batch_;
  RemoteAddress altStack_, tidAddress_, deathSignal_;
  size_t stackCall_, tidCall_, deathCall_, slackCall_, bitsCall_;
};

// Notes what is left of the time of the wait that the thread was taken out of; `waits` were seen before the stop. Before anything is
// run in it: every stop counts as one more time that it left the CPU.
void noteWait(Tracee& tracee, const WaitsBegun& waits);

// What can be read from outside of a stopped thread. `vtid`: its id inside the pod.
void collectThread(Tracee& tracee, pid_t vtid, Thread& thread);

// Signals that wait: for the thread, or for the whole process if `shared`.
std::vector<QueuedSignal> peekSignals(pid_t tid, bool shared);

// The thread was stopped in a system call that it takes up again: it is waiting, and holds no lock of its libraries.
bool waitsInKernel(const user_regs_struct& registers);

// Numbers of a line of /proc/PID/status, separated by blanks.
std::vector<uint32_t> statusNumbers(const std::string& text);

}  // namespace appshot
