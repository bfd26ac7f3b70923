#include "core/snapshot/stopped_tree.h"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <set>
#include <sstream>

#include "core/snapshot/check_process.h"
#include "core/snapshot/collect_thread.h"
#include "core/sys/proc.h"
#include "core/sys/sys.h"

namespace appshot {

std::vector<pid_t> podProcesses(const Pod& pod) {
  std::vector<pid_t> pids = pod.groups.pids();
  std::erase(pids, pod.init);
  std::sort(pids.begin(), pids.end());
  return pids;
}

static std::vector<pid_t> threadsOf(pid_t pid) {
  std::vector<pid_t> tids;
  for (const std::string& name : listDirectory("/proc/" + std::to_string(pid) + "/task")) tids.push_back(std::atoi(name.c_str()));
  std::sort(tids.begin(), tids.end(), [pid](pid_t a, pid_t b) { return (a != pid) < (b != pid) || ((a != pid) == (b != pid) && a < b); });
  return tids;
}

StoppedTree::StoppedTree(const Pod& pod, int withinMs) {
  double deadlineUs = monotonicUs() + withinMs * 1000.0;
  // A thread that still runs may make another: go round until a whole round finds nothing new.
  for (bool foundNew = true; foundNew;) {
    foundNew = false;
    for (pid_t pid : podProcesses(pod)) {
      try {
        foundNew |= stopNew(pid, deadlineUs);
      } catch (const Error& error) {
        if (error.err() != ESRCH && error.err() != ENOENT) throw;
        foundNew = true;  // it ended meanwhile: look again
      }
    }
  }
  for (StoppedProcess& process : processes_) {
    process.vpid = virtualPid(process.pid);
    for (Tracee& thread : process.threads) {
      thread.hold();
      process.virtualIds[thread.tid()] =
          thread.tid() == process.pid ? process.vpid : virtualPid(thread.tid());
    }
  }
}

bool StoppedTree::stopNew(pid_t pid, double deadlineUs) {
  auto known = std::find_if(processes_.begin(), processes_.end(), [pid](const StoppedProcess& p) { return p.pid == pid; });
  if (known != processes_.end() && known->zombie) return false;
  if (readProcStat(std::to_string(pid)).state == 'Z') {
    if (known != processes_.end()) {
      known->zombie = true;
      return false;
    }
    StoppedProcess zombie;
    zombie.pid = pid;
    zombie.zombie = true;
    processes_.push_back(std::move(zombie));
    return true;
  }
  if (known == processes_.end()) {
    processes_.emplace_back();
    known = processes_.end() - 1;
    known->pid = pid;
  }
  std::set<pid_t> have;
  for (const Tracee& thread : known->threads) have.insert(thread.tid());
  size_t first = known->threads.size();
  for (pid_t tid : threadsOf(pid)) {
    if (have.count(tid)) continue;
    try {
      known->threads.emplace_back(pid, tid);
    } catch (const Error& error) {
      if (error.err() != ESRCH) throw;  // the thread ended meanwhile
    }
  }
  for (size_t i = first; i < known->threads.size(); i++) {
    if (known->threads[i].waitStopped(deadlineUs)) continue;
    std::string name = readProcStat(std::to_string(pid)).comm;
    throw Error("unsupported-state", "process " + std::to_string(virtualPid(pid)) + " (" + name +
                                         ") could not be stopped in time: thread " + std::to_string(known->threads[i].tid()) +
                                         " waits in the kernel; everything runs on");
  }
  return known->threads.size() > first;
}

pid_t StoppedTree::hostPid(pid_t vpid) const {
  for (const StoppedProcess& process : processes_)
    if (process.vpid == vpid) return process.pid;
  return -1;
}

// Its threads may not run before it is continued, and in a clone its random numbers have to be renewed before that.
static bool requireAtRest(const StoppedProcess& process) {
  bool all = std::all_of(process.threads.begin(), process.threads.end(), [](const Tracee& thread) {
    return waitsInKernel(thread.registers()) || standsBeforeCall(thread.process(), thread.registers().rip);
  });
  if (!all) throw Error("unsupported-state", standsInTheMiddle(processName(process.pid)));
  return true;
}

bool StoppedTree::comeToRest(double withinUs) {
  double deadlineUs = monotonicUs() + withinUs;
  return std::all_of(processes_.begin(), processes_.end(), [deadlineUs](StoppedProcess& process) {
    if (process.zombie) return true;
    Tracee& first = process.threads.front();
    if (first.stopSignal() != 0) return requireAtRest(process);
    if (waitsInKernel(first.registers())) return true;
    return first.runToWait(deadlineUs) || waitsInKernel(first.registers());
  });
}

void StoppedTree::tryToRest(double withinUs) {
  double deadlineUs = monotonicUs() + withinUs;
  for (StoppedProcess& process : processes_) {
    if (process.zombie) continue;
    Tracee& first = process.threads.front();
    if (first.stopSignal() == 0 && !waitsInKernel(first.registers())) first.runToWait(deadlineUs);
  }
}

void StoppedTree::putBack() {
  for (StoppedProcess& process : processes_)
    for (Tracee& thread : process.threads) thread.putBack();
}

void StoppedTree::kill() {
  for (StoppedProcess& process : processes_) ::kill(process.pid, SIGKILL);
  for (StoppedProcess& process : processes_)
    for (auto thread = process.threads.rbegin(); thread != process.threads.rend(); ++thread) {
      thread->release();
      int status = 0;
      // The leader's end is told last, when no other thread is left. Anything but an end (a late stop) is waited over.
      while (::waitpid(thread->tid(), &status, __WALL | __WNOTHREAD) == thread->tid() && WIFSTOPPED(status)) {
      }
    }
}

}  // namespace appshot
