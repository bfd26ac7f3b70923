// What the parts that open files have in common.
#pragma once

#include <fcntl.h>
#include <sys/syscall.h>

#include <string>

#include "core/restore/compile.h"

namespace appshot {

constexpr uint32_t kStatusFlags = O_NONBLOCK | O_APPEND | O_DIRECT | O_NOATIME;  // O_ASYNC: see compileOwners

inline FileKind kindOf(const OpenFile& file) { return static_cast<FileKind>(file.kind); }

class Opening {
 public:
  Opening(Compiler& compiler, Tape& tape) : compiler_(compiler), tape_(tape) {}

 protected:
  // Moves a descriptor out of the way, so that the next one gets a low number again.
  Slot lift(Slot low) {
    Slot high = tape_.call("move a descriptor", SYS_fcntl, {low, F_DUPFD_CLOEXEC, compiler_.highFd}, true);
    tape_.call("close a descriptor", SYS_close, {low});
    return high;
  }
  void close(Slot slot) { tape_.call("close a descriptor", SYS_close, {slot}); }

  uint64_t text(const std::string& value) { return compiler_.region.add(value); }
  uint64_t bytes(const std::string& value) { return compiler_.region.add(value.data(), value.size()); }
  template <typename Value>
  uint64_t value(const Value& value) { return compiler_.region.add(&value, sizeof value); }

  // As the user that the program runs as: who a unix socket's peer is gets settled when it is made.
  template <typename Make>
  void asApplication(Make&& make) {
    appshot::asApplication(compiler_, tape_, make);
  }

  const OpenFile& fileAt(uint32_t index) const { return compiler_.state.files[index]; }
  Slot& slotAt(uint32_t index) { return compiler_.files[index]; }

  Compiler& compiler_;
  Tape& tape_;
};

}  // namespace appshot
