// Files and directories that have no name any more: made under one that is taken away when everybody has opened them.
#include <fcntl.h>
#include <sys/syscall.h>

#include <algorithm>

#include "core/restore/opening.h"

namespace appshot {

namespace {

class GhostMaker : public Opening {
 public:
  using Opening::Opening;

  void make(uint32_t index) {
    const GhostFile& ghost = compiler_.state.ghosts[index];
    uint64_t name = text(ghostName(compiler_.state, index));
    if (ghost.directory) tape_.call("make a nameless directory", SYS_mkdir, {name, 0700});
    uint32_t flags = ghost.directory ? O_RDONLY | O_DIRECTORY : O_CREAT | O_EXCL | O_RDWR;
    Slot slot = lift(tape_.call("make a nameless file", SYS_openat, {AT_FDCWD, name, flags | O_CLOEXEC, 0600}, true));
    if (!ghost.contents.empty()) tape_.callExact("fill a nameless file", SYS_pwrite64, {slot, bytes(ghost.contents), ghost.contents.size(), 0}, ghost.contents.size());
    tape_.attempt("own a nameless file", SYS_fchown, {slot, ghost.uid, ghost.gid});
    tape_.attempt("set the mode of a nameless file", SYS_fchmod, {slot, ghost.mode});
    if (!isWritten(index)) {
      // A program cannot be run whose file somebody may write to.
      Slot reader = lift(tape_.call("open a nameless file", SYS_openat, {AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0}, true));
      close(slot);
      slot = reader;
    }
    compiler_.ghosts.push_back(slot);
  }

 private:
  bool isWritten(uint32_t index) const {
    const std::vector<MappedFile>& files = compiler_.state.mappedFiles;
    return std::any_of(files.begin(), files.end(), [&](const MappedFile& file) { return file.deleted && file.ghost == index && file.writable; });
  }
};

}  // namespace

std::string ghostName(const State& state, uint32_t ghost) {
  const std::string& place = state.ghosts[ghost].place;
  return (place == "/" ? "" : place) + "/.appshot-nameless-" + std::to_string(ghost);
}

void compileGhosts(Compiler& compiler, Tape& tape) {
  for (uint32_t index = 0; index < compiler.state.ghosts.size(); index++) GhostMaker(compiler, tape).make(index);
}

void compileGhostRemovals(Compiler& compiler, Tape& tape) {
  for (uint32_t index = 0; index < compiler.state.ghosts.size(); index++) {
    int flags = compiler.state.ghosts[index].directory ? AT_REMOVEDIR : 0;
    tape.call("take the name of a nameless file", SYS_unlinkat, {AT_FDCWD, compiler.region.add(ghostName(compiler.state, index)), flags});
  }
}

}  // namespace appshot
