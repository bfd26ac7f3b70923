#include "core/snapshot/collect_stops.h"

#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>

#include "core/snapshot/collect_process.h"
#include "core/snapshot/remote_batch.h"

namespace appshot {

namespace {

constexpr size_t kAtOnce = 60;

void ask(StoppedProcess& parent, RemoteScratch& scratch, const std::vector<Process*>& children) {
  for (size_t at = 0; at < children.size(); at += kAtOnce) {
    RemoteBatch batch(scratch);
    std::vector<RemoteAddress> places;
    size_t end = std::min(children.size(), at + kAtOnce);
    for (size_t i = at; i < end; i++) {
      siginfo_t none{};
      places.push_back(batch.room(sizeof none, &none));
      batch.add(SYS_waitid, {P_PID, static_cast<uint64_t>(children[i]->pid), places.back().value, WSTOPPED | WNOHANG | WNOWAIT | __WALL, 0});
    }
    batch.run(parent.threads.front(), parent.vpid, parent.vpid);
    for (size_t i = at; i < end; i++) children[i]->stopUntold |= batch.read<siginfo_t>(places[i - at]).si_code == CLD_STOPPED;
  }
}

}  // namespace

void collectStops(StoppedTree& tree, State& state) {
  for (const Process& parent : state.processes) {
    std::vector<Process*> children;
    for (Process& process : state.processes)
      if (process.stopSignal != 0 && process.ppid == parent.pid) children.push_back(&process);
    auto stopped = std::find_if(tree.processes().begin(), tree.processes().end(), [&](const StoppedProcess& p) { return p.vpid == parent.pid && !p.zombie; });
    if (children.empty() || stopped == tree.processes().end()) continue;
    RemoteScratch scratch(stopped->threads.front(), syscallInstruction(stopped->pid, {parent.gadgetSyscall, parent.gadgetSigreturn}));
    ask(*stopped, scratch, children);
  }
}

}  // namespace appshot
