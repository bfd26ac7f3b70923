#include "core/snapshot/collect_undos.h"

#include <linux/kcmp.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/snapshot/collect_process.h"
#include "core/snapshot/remote_batch.h"

namespace appshot {

namespace {

// The kernel shows these numbers nowhere. But it keeps each within 16 bits and refuses an operation that would lead outside
// with ERANGE, and it looks at the operations of one call in order: so a call whose last operation cannot be done (it fails with
// EAGAIN and takes everything back) tells by its error whether an earlier one met the limit, and a binary search finds the number.
constexpr int kLimit = 32767;  // SEMAEM, and SEMVMX for the value
constexpr int kLowest = -kLimit / 2 + 1;  // below it the question would take more operations; nobody gives back that often

struct Probed {
  const IpcObject* set;
  uint16_t number;
  int low = kLowest, high = kLimit;  // the adjustment lies within
};

// Does `adjustment >= threshold` hold? EAGAIN says no, ERANGE yes. `threshold` is from -16383 to 32767.
std::vector<sembuf> question(const Probed& probed, int threshold) {
  auto value = static_cast<int>(probed.set->values[probed.number]);
  auto operation = [&](int change, int flags) { return sembuf{probed.number, static_cast<short>(change), static_cast<short>(flags | IPC_NOWAIT)}; };
  std::vector<sembuf> operations;
  // First the value is brought to where the next operation has room.
  if (value < kLimit) operations.push_back(operation(kLimit - value, 0));
  // A taking of k raises the adjustment by k; above kLimit it is refused.
  int k = kLimit + 1 - threshold;
  if (k > kLimit) {
    operations.push_back(operation(-kLimit / 2, SEM_UNDO));
    operations.push_back(operation(kLimit / 2, 0));
    k -= kLimit / 2;
  }
  operations.push_back(operation(-k, SEM_UNDO));
  operations.push_back(operation(-kLimit - 1, 0));  // never possible
  return operations;
}

// Small numbers are found soon: nearly all are zero, most others one.
int nextThreshold(const Probed& probed) {
  if (probed.high == kLimit) return probed.low < 1 ? 1 : std::min(probed.low * 2, kLimit);
  if (probed.high == 0 && probed.low == kLowest) return 0;
  return (probed.low + probed.high + 1) / 2;
}

// One round of halving for all that are not known yet, in one batch.
void askAll(StoppedProcess& stopped, RemoteScratch& scratch, std::vector<Probed*>& open) {
  constexpr size_t kAtOnce = 60;
  for (size_t at = 0; at < open.size(); at += kAtOnce) {
    RemoteBatch batch(scratch);
    size_t end = std::min(open.size(), at + kAtOnce);
    std::vector<size_t> calls;
    for (size_t i = at; i < end; i++) {
      std::vector<sembuf> operations = question(*open[i], nextThreshold(*open[i]));
      RemoteAddress place = batch.room(operations.size() * sizeof(sembuf), operations.data());
      calls.push_back(batch.add(SYS_semop, {static_cast<uint64_t>(open[i]->set->id), place.value, operations.size()}));
    }
    batch.run(stopped.threads.front(), stopped.vpid, stopped.vpid);
    for (size_t i = at; i < end; i++) {
      int threshold = nextThreshold(*open[i]);
      int64_t answer = batch.result(calls[i - at]);
      if (answer == -ERANGE) open[i]->low = threshold;
      else if (answer == -EAGAIN) open[i]->high = threshold - 1;
      else open[i]->low = open[i]->high = 0;  // not allowed to change it: then it never has
    }
  }
}

bool keepsList(pid_t pid, pid_t init) { return ::syscall(SYS_kcmp, pid, init, KCMP_SYSVSEM, 0, 0) != 0; }

}  // namespace

void collectUndos(StoppedTree& tree, pid_t init, State& state) {
  std::vector<const IpcObject*> sets;
  for (const IpcObject& object : state.ipc)
    if (object.kind == static_cast<uint32_t>(IpcKind::Semaphores)) sets.push_back(&object);
  if (sets.empty()) return;
  for (Process& process : state.processes) {
    auto stopped = std::find_if(tree.processes().begin(), tree.processes().end(), [&](const StoppedProcess& p) { return p.vpid == process.pid && !p.zombie; });
    if (stopped == tree.processes().end() || !keepsList(stopped->pid, init)) continue;
    std::vector<Probed> all;
    for (const IpcObject* set : sets)
      for (size_t number = 0; number < set->values.size(); number++) all.push_back({set, static_cast<uint16_t>(number)});
    RemoteScratch scratch(stopped->threads.front(), syscallInstruction(stopped->pid, {process.gadgetSyscall, process.gadgetSigreturn}));
    for (;;) {
      std::vector<Probed*> open;
      for (Probed& probed : all)
        if (probed.low < probed.high) open.push_back(&probed);
      if (open.empty()) break;
      askAll(*stopped, scratch, open);
    }
    for (const Probed& probed : all)
      if (probed.low != 0) process.undos.push_back({probed.set->id, probed.number, probed.low});
  }
}

}  // namespace appshot
