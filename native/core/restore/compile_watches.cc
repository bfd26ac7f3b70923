// inotify sets: the kernel counts watch numbers up, so watches are made in their order, and those between are passed over.
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/syscall.h>

#include <algorithm>

#include "core/restore/compile.h"

namespace appshot {

constexpr uint32_t kMask = IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK;

void compileWatches(Compiler& compiler, Tape& tape) {
  for (uint32_t index = 0; index < compiler.state.files.size(); index++) {
    const OpenFile& file = compiler.state.files[index];
    if (file.kind != static_cast<uint32_t>(FileKind::Inotify)) continue;
    std::vector<InotifyWatch> watches = file.inotify;
    std::sort(watches.begin(), watches.end(), [](const InotifyWatch& a, const InotifyWatch& b) { return a.wd < b.wd; });
    for (const InotifyWatch& watch : watches)
      tape.op(OP_WATCH, ("watch " + watch.path).c_str(), {compiler.files[index], compiler.region.add(watch.path), (watch.mask & kMask) | IN_DONT_FOLLOW, watch.wd});
    tape.call("set the flags of a descriptor", SYS_fcntl, {compiler.files[index], F_SETFL, file.flags & O_NONBLOCK});
  }
}

}  // namespace appshot
