// POSIX message queues, in the pod's IPC namespace.
#include <fcntl.h>
#include <mqueue.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "core/restore/compile.h"

namespace appshot {

// The kernel takes names without their slash.
std::string queueName(const State& state, uint32_t index) {
  const IpcObject& queue = state.ipc[index];
  return queue.destroyed ? ".appshot-nameless-" + std::to_string(index) : queue.name.substr(1);
}

void compileQueue(Compiler& compiler, Tape& tape, uint32_t index) {
  const IpcObject& queue = compiler.state.ipc[index];
  Region& region = compiler.region;
  mq_attr attributes{};
  attributes.mq_maxmsg = static_cast<long>(queue.size);
  attributes.mq_msgsize = static_cast<long>(queue.messageBytes);
  // What a user's queues take all together is limited, of all instances of the node: what has been there may be there again.
  uint64_t unlimited[2] = {RLIM_INFINITY, RLIM_INFINITY};
  tape.attempt("lift the limit of message queues", SYS_prlimit64, {0, RLIMIT_MSGQUEUE, region.add(unlimited, sizeof unlimited), 0});
  uint64_t name = region.add(queueName(compiler.state, index));
  Slot slot = tape.call("make a message queue", SYS_mq_open, {name, O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK | O_CLOEXEC, 0600, region.add(&attributes, sizeof attributes)}, true);
  for (const IpcMessage& message : queue.messages)
    tape.call("refill a message queue", SYS_mq_timedsend, {slot, region.add(message.bytes.data(), message.bytes.size()), message.bytes.size(), message.type, 0});
  tape.call("own a message queue", SYS_fchown, {slot, queue.uid, queue.gid});
  tape.call("set the mode of a message queue", SYS_fchmod, {slot, queue.mode});
  tape.call("close a message queue", SYS_close, {slot});
}

void compileQueueRemovals(Compiler& compiler, Tape& tape) {
  for (uint32_t index = 0; index < compiler.state.ipc.size(); index++) {
    const IpcObject& queue = compiler.state.ipc[index];
    if (queue.kind == static_cast<uint32_t>(IpcKind::PosixQueue) && queue.destroyed)
      tape.call("take the name of a message queue", SYS_mq_unlink, {compiler.region.add(queueName(compiler.state, index))});
  }
}

}  // namespace appshot
