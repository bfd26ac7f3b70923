#include "core/pod/freezer.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cstring>

#include "core/sys/sys.h"

namespace appshot {

namespace {

UniqueFd openIn(const Pod& pod, const char* name, int flags) {
  return sysFd(std::string("open ") + name + " of " + pod.name, [&] { return ::openat(pod.cgroup.get(), name, flags | O_CLOEXEC); });
}

void setFrozen(const Pod& pod, const char* value) {
  UniqueFd fd = openIn(pod, "cgroup.freeze", O_WRONLY);
  sys("write cgroup.freeze of " + pod.name, [&] { return ::write(fd.get(), value, 1); });
}

std::string contentsOf(int fd) {
  char text[256];
  ssize_t n = sys("read a cgroup's state", [&] { return ::pread(fd, text, sizeof text, 0); });
  return {text, static_cast<size_t>(n)};
}

}  // namespace

void freeze(const Pod& pod, int withinMs) {
  if (!pod.cgroup.valid()) throw Error("unsupported-state", "this machine has no cgroup v2: nothing can be parked");
  setFrozen(pod, "1");
  UniqueFd events = openIn(pod, "cgroup.events", O_RDONLY);
  // Read over and over: poll() tells of a change only milliseconds later.
  for (double deadlineUs = monotonicUs() + withinMs * 1000.0; contentsOf(events.get()).find("frozen 1") == std::string::npos;) {
    if (monotonicUs() < deadlineUs) {
      ::sched_yield();
      continue;
    }
    thaw(pod);
    throw Error("timeout", "the processes of " + pod.name + " could not be frozen within " + std::to_string(withinMs) + " ms: one of them waits in the kernel");
  }
}

void thaw(const Pod& pod) {
  if (pod.cgroup.valid()) setFrozen(pod, "0");
}

bool isFrozen(const Pod& pod) {
  if (!pod.cgroup.valid()) return false;
  return contentsOf(openIn(pod, "cgroup.freeze", O_RDONLY).get()).rfind("1", 0) == 0;
}

}  // namespace appshot
