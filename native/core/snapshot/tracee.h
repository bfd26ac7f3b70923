// One stopped thread of another process, and system calls made in its name.
#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace appshot {

// An address in another process: cannot be dereferenced here.
struct RemoteAddress {
  uint64_t value = 0;
};

// A thread that is traced by the calling thread and stopped. Everything is put back when it is destroyed: registers, signal mask.
// ptrace requests work only from the thread that attached.
class Tracee {
 public:
  Tracee(pid_t process, pid_t tid);
  Tracee(Tracee&&) noexcept;
  Tracee& operator=(Tracee&&) = delete;
  // Lets the thread run on as it was, unless release() was called.
  ~Tracee();

  pid_t process() const { return process_; }
  pid_t tid() const { return tid_; }
  const user_regs_struct& registers() const { return registers_; }
  uint64_t signalMask() const { return signalMask_; }

  // Waits until the thread has stopped, with the time that is left; false when it did not, or waits in the kernel and cannot. Signals
  // that come first are passed on.
  bool waitStopped(double deadlineUs);
  // Reads registers and signal mask, and blocks all signals for as long as we are here. Once, after waitStopped.
  void hold();

  // Lets a held thread run until it is about to wait for events, and stops it in front of that call; the others stay stopped.
  // False when it did not come to that in time: it is stopped where it was then, and held again.
  bool runToWait(double deadlineUs);

  // Runs a system call in the thread. `instruction`: address of a `syscall` instruction in its address space.
  // Returns what the kernel returned (-errno on failure).
  int64_t syscall(uint64_t instruction, long number, std::initializer_list<uint64_t> arguments);

  // Makes the thread clone a process with these flags; the child is traced too and stopped before its first instruction.
  // Returns what the kernel returned; `child` is its pid on the node.
  int64_t forkTraced(uint64_t instruction, uint64_t flags, pid_t& child);

  // Runs code in the thread, which is to stop itself with SIGSTOP, that is then forgotten. r12 and r13 are given to it. Others may run
  // theirs at the same time; nothing else may be asked of this one before awaitStop().
  void startUntilStop(uint64_t code, uint64_t r12, uint64_t r13);
  void awaitStop();

  // What is left of the time of the wait that it stands in, -1 where that is not known: how it goes on.
  void noteWaitLeft(int64_t leftNs) { waitLeftNs_ = leftNs; }
  int64_t waitLeftNs() const { return waitLeftNs_; }

  // Registers and signal mask are again what they were; the thread stays stopped.
  void putBack();

  std::string xstate() const;
  // The signal that its process has been stopped by (not by us): it stays so when we let it go. 0: none.
  int stopSignal() const { return stopSignal_; }
  // The thread is dead or about to be killed: do not touch it any more.
  void release() { attached_ = false; }

 private:
  int waitForStop();
  user_regs_struct registersToGoOn() const;
  bool interruptAgain(double deadlineUs);
  void shutOutSignals();
  int64_t runSyscall(uint64_t instruction, long number, std::initializer_list<uint64_t> arguments, pid_t* child);

  pid_t process_;
  pid_t tid_;
  bool attached_ = false;
  bool held_ = false;
  bool touched_ = false;
  int stopSignal_ = 0;
  // `registers_` say that it waits, as an image of it will have it; the thread itself stands in front of that call.
  bool inFront_ = false;
  user_regs_struct registers_{};
  uint64_t signalMask_ = 0;
  int64_t waitLeftNs_ = -1;
};

// Memory of a stopped process.
void readRemote(pid_t pid, uint64_t address, void* to, size_t bytes);

}  // namespace appshot
