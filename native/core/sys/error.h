// The one exception of the core: what was being done, to whom, and what the kernel said.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace appshot {

// Codes are those of packages/protocol/src/errors.ts; the binding passes them on unchanged.
class Error : public std::runtime_error {
 public:
  Error(std::string code, std::string message, int err = 0)
      : std::runtime_error(std::move(message)), code_(std::move(code)), errno_(err) {}

  const std::string& code() const { return code_; }
  // The errno of the failed system call; 0 where none was involved.
  int err() const { return errno_; }

 private:
  std::string code_;
  int errno_;
};

// Throws an Error for a failed system call: "STEP: strerror". ENOSPC and EDQUOT become `disk-full`.
[[noreturn]] void throwErrno(const std::string& step, int err);

}  // namespace appshot
