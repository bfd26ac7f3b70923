#include "core/snapshot/remote_batch.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "core/sys/sys.h"

namespace appshot {

namespace {

// r12: calls, r13: how many. Ends in an endless loop that is never reached: the last call stops the thread.
constexpr uint8_t kLoop[] = {
    0x49, 0x8b, 0x04, 0x24,        // mov rax, [r12]
    0x49, 0x8b, 0x7c, 0x24, 0x08,  // mov rdi, [r12+8]
    0x49, 0x8b, 0x74, 0x24, 0x10,  // mov rsi, [r12+16]
    0x49, 0x8b, 0x54, 0x24, 0x18,  // mov rdx, [r12+24]
    0x4d, 0x8b, 0x54, 0x24, 0x20,  // mov r10, [r12+32]
    0x4d, 0x8b, 0x44, 0x24, 0x28,  // mov r8, [r12+40]
    0x4d, 0x8b, 0x4c, 0x24, 0x30,  // mov r9, [r12+48]
    0x0f, 0x05,                    // syscall
    0x49, 0x89, 0x04, 0x24,        // mov [r12], rax
    0x49, 0x83, 0xc4, 0x38,        // add r12, 56
    0x49, 0xff, 0xcd,              // dec r13
    0x75, 0xcf,                    // jnz to the start
    0xeb, 0xfe,                    // jmp here
};

}  // namespace

void writeRemote(pid_t pid, uint64_t address, const void* from, size_t bytes) {
  iovec local{const_cast<void*>(from), bytes}, remote{reinterpret_cast<void*>(address), bytes};
  ssize_t n = sys("write memory of process " + std::to_string(pid), [&] { return ::process_vm_writev(pid, &local, 1, &remote, 1, 0); });
  if (static_cast<size_t>(n) != bytes) throw Error("internal", "short write to the memory of process " + std::to_string(pid));
}

bool RemoteScratch::map(uint64_t& address, uint64_t at, size_t pages, uint64_t protection) {
  uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0);
  int64_t mapped = thread_.syscall(instruction_, SYS_mmap, {at, pages * 4096, protection, flags, ~0ull, 0});
  if (mapped < 0 && mapped > -4096) {
    errno = static_cast<int>(-mapped);
    return false;
  }
  address = static_cast<uint64_t>(mapped);
  return true;
}

RemoteScratch::RemoteScratch(Tracee& thread, uint64_t instruction) : thread_(thread), instruction_(instruction) {
  std::string step = "map scratch pages in process " + std::to_string(thread.process());
  bool asOne = map(address_, 0, kPages, PROT_READ | PROT_WRITE | PROT_EXEC);
  // PR_SET_MDWE forbids memory that can be written and run.
  if (!asOne && (errno != EACCES || !map(address_, 0, kPages, PROT_READ | PROT_WRITE))) throwErrno(step, errno);
  try {
    uint64_t first;
    if (!asOne && !map(first, address_, 1, PROT_READ | PROT_EXEC)) throwErrno(step, errno);
    std::string path = "/proc/" + std::to_string(process()) + "/mem";
    UniqueFd memory = sysFd("open " + path, [&] { return ::open(path.c_str(), O_WRONLY | O_CLOEXEC); });
    // A tracer may write there whatever the protection says.
    sys("write code into process " + std::to_string(process()), [&] { return ::pwrite(memory.get(), kLoop, sizeof kLoop, static_cast<off_t>(address_)); });
  } catch (...) {
    thread_.syscall(instruction_, SYS_munmap, {address_, kPages * 4096});
    throw;
  }
}

RemoteScratch::~RemoteScratch() {
  try {
    thread_.syscall(instruction_, SYS_munmap, {address_, kPages * 4096});
  } catch (const Error&) {
    // The process was killed: its memory is gone anyway.
  }
}

RemoteBatch::RemoteBatch(RemoteScratch& scratch, size_t part) : scratch_(scratch) {
  callBytes_ /= kParts;
  resultBytes_ /= kParts;
  callsAt_ += part * callBytes_;
  resultsAt_ += part * resultBytes_;
}

RemoteBatch::~RemoteBatch() {
  try {
    if (running_) running_->awaitStop();
  } catch (const Error&) {
    // It was killed.
  }
}

RemoteAddress RemoteBatch::room(size_t bytes) {
  RemoteAddress at{resultsAt_ + used_};
  used_ += (bytes + 15) / 16 * 16;
  if (used_ > resultBytes_) throw Error("internal", "a batch of system calls has too many results");
  return at;
}

RemoteAddress RemoteBatch::room(size_t bytes, const void* contents) {
  RemoteAddress at = room(bytes);
  contents_.resize(used_);
  std::memcpy(contents_.data() + (at.value - resultsAt_), contents, bytes);
  return at;
}

size_t RemoteBatch::add(long number, std::initializer_list<uint64_t> arguments) {
  Call call{static_cast<uint64_t>(number), {}};
  std::copy(arguments.begin(), arguments.end(), call.arguments);
  calls_.push_back(call);
  if ((calls_.size() + 1) * sizeof(Call) > callBytes_) throw Error("internal", "a batch has too many system calls");
  return calls_.size() - 1;
}

void RemoteBatch::start(Tracee& thread, pid_t vpid, pid_t vtid) {
  std::vector<Call> calls = calls_;
  // A signal that cannot be blocked or handled, kept from the thread by its tracer: stops it without touching any of its state.
  // (A breakpoint would: a forced SIGTRAP resets the action of a program that blocks or ignores it.)
  calls.push_back({SYS_tgkill, {static_cast<uint64_t>(vpid), static_cast<uint64_t>(vtid), SIGSTOP, 0, 0, 0}});
  writeRemote(thread.process(), callsAt_, calls.data(), calls.size() * sizeof(Call));
  if (!contents_.empty()) writeRemote(thread.process(), resultsAt_, contents_.data(), contents_.size());
  thread.startUntilStop(scratch_.code(), callsAt_, calls.size());
  running_ = &thread;
}

void RemoteBatch::finish() {
  pid_t process = running_->process();
  std::exchange(running_, nullptr)->awaitStop();
  readRemote(process, callsAt_, calls_.data(), calls_.size() * sizeof(Call));
  results_.resize(used_);
  if (used_ > 0) readRemote(process, resultsAt_, results_.data(), used_);
}

}  // namespace appshot
