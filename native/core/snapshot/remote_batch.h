// Many system calls in a stopped thread at the price of one: a round trip between tracer and tracee costs more than most calls.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

#include "core/snapshot/tracee.h"

namespace appshot {

// Memory of a stopped process.
void writeRemote(pid_t pid, uint64_t address, const void* from, size_t bytes);

// Pages of memory in a stopped process that hold the code of the batch, its calls and their results. Unmapped when it goes.
class RemoteScratch {
 public:
  // `instruction`: address of a `syscall` instruction in the process. `thread` maps and unmaps.
  RemoteScratch(Tracee& thread, uint64_t instruction);
  ~RemoteScratch();
  RemoteScratch(const RemoteScratch&) = delete;
  RemoteScratch& operator=(const RemoteScratch&) = delete;

  static constexpr size_t kPages = 8;
  uint64_t code() const { return address_; }
  uint64_t calls() const { return address_ + 4096; }
  uint64_t results() const { return address_ + 4 * 4096; }
  pid_t process() const { return thread_.process(); }

 private:
  bool map(uint64_t& address, uint64_t at, size_t pages, uint64_t protection);

  Tracee& thread_;
  uint64_t instruction_;
  uint64_t address_ = 0;
};

class RemoteBatch {
 public:
  static constexpr size_t kMaxCalls = 200;
  // So many threads can make a few calls each at the same time, every one with a part of the scratch pages to itself.
  static constexpr size_t kParts = 16;

  explicit RemoteBatch(RemoteScratch& scratch) : scratch_(scratch) {}
  // With the part of this number.
  RemoteBatch(RemoteScratch& scratch, size_t part);
  RemoteBatch(const RemoteBatch&) = delete;
  RemoteBatch& operator=(const RemoteBatch&) = delete;
  // What was started is waited for.
  ~RemoteBatch();

  // Room for a result in the process; give it to a call as an argument, and to read() after run().
  RemoteAddress room(size_t bytes);
  // Room that holds `contents` when the calls run.
  RemoteAddress room(size_t bytes, const void* contents);
  // Adds a call; its number is for result().
  size_t add(long number, std::initializer_list<uint64_t> arguments);
  // Runs all in `thread`. `vpid`, `vtid`: its ids as it sees them.
  void run(Tracee& thread, pid_t vpid, pid_t vtid) {
    start(thread, vpid, vtid);
    finish();
  }
  // The same in two steps. Nothing else may be asked of the thread in between.
  void start(Tracee& thread, pid_t vpid, pid_t vtid);
  void finish();

  // What the kernel returned.
  int64_t result(size_t call) const { return static_cast<int64_t>(calls_.at(call).number); }
  template <typename Value>
  Value read(RemoteAddress at) const {
    Value value;
    std::memcpy(&value, results_.data() + (at.value - resultsAt_), sizeof value);
    return value;
  }

 private:
  struct Call {
    uint64_t number;  // overwritten by the result
    uint64_t arguments[6];
  };

  RemoteScratch& scratch_;
  uint64_t callsAt_ = scratch_.calls(), resultsAt_ = scratch_.results();
  size_t callBytes_ = 3 * 4096, resultBytes_ = 4 * 4096;
  Tracee* running_ = nullptr;
  std::vector<Call> calls_;
  std::string contents_;  // what is to stand in the rooms before
  size_t used_ = 0;
  std::string results_;
};

}  // namespace appshot
