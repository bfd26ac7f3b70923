#include "core/restore/region.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "core/sys/failpoint.h"
#include "core/sys/sys.h"

// The freestanding restorer, linked in as bytes (native/restorer).
extern "C" {
extern const char appshotRestorerStart[], appshotRestorerEnd[];
extern const char appshotStub[], appshotStubEnd[];
}

namespace appshot {

static size_t align(size_t value, size_t to) { return (value + to - 1) / to * to; }

Region::Region(uint64_t base, size_t threads) : base_(base) {
  auto codeBytes = static_cast<size_t>(appshotRestorerEnd - appshotRestorerStart);
  auto stubBytes = static_cast<size_t>(appshotStubEnd - appshotStub);
  bytes_.resize(threads * APPSHOT_PAGE);
  header_ = base_ + bytes_.size();
  bytes_.resize(bytes_.size() + APPSHOT_PAGE);
  uint64_t code = add(appshotRestorerStart, codeBytes, APPSHOT_PAGE);
  uint64_t stubCode = add(appshotStub, stubBytes, 16);
  uint64_t status = reserve(APPSHOT_PAGE, APPSHOT_PAGE);
  parking_ = reserve(kParkingBytes, APPSHOT_PAGE);
  uint64_t stack = reserve(APPSHOT_STACK, APPSHOT_PAGE);
  threadStacks_ = reserve(threads * APPSHOT_THREAD_STACK, APPSHOT_PAGE);
  RegionHeader& header = this->header();
  header.base = base_;
  header.code = code;
  header.codeBytes = codeBytes;
  header.stackTop = stack + APPSHOT_STACK;
  header.status = status;
  header.stubCode = stubCode;
  header.stubCodeBytes = stubBytes;
}

uint64_t Region::reserve(size_t count, size_t alignment) {
  size_t at = align(bytes_.size(), alignment);
  bytes_.resize(at + count);
  return base_ + at;
}

uint64_t Region::add(const void* bytes, size_t count, size_t alignment) {
  uint64_t address = reserve(count, alignment);
  if (count > 0) std::memcpy(bytes_.data() + (address - base_), bytes, count);
  return address;
}

Slot Region::newSlot() { return Slot{slots_++}; }

void Region::placeSlots() {
  uint64_t slots = reserve(static_cast<size_t>(slots_) * sizeof(uint64_t));
  header().slots = slots;
}

uint32_t Region::step(const std::string& name) {
  auto known = std::find(steps_.begin(), steps_.end(), name);
  if (known != steps_.end()) return static_cast<uint32_t>(known - steps_.begin());
  steps_.push_back(name);
  return static_cast<uint32_t>(steps_.size() - 1);
}

int Region::toMemfd(const std::string& name) const {
  constexpr unsigned kExec = 0x10;  // MFD_EXEC: without it vm.memfd_noexec may forbid the mapping; unknown before Linux 6.3
  int made = ::memfd_create(name.c_str(), MFD_CLOEXEC | kExec);
  if (made < 0) made = ::memfd_create(name.c_str(), MFD_CLOEXEC);
  UniqueFd fd(made);
  if (made < 0) throwErrno("make a memfd for the restorer", errno);
  sys("size the restorer's region", [&] { return ::ftruncate(fd.get(), static_cast<off_t>(size())); });
  static const std::vector<uint8_t> zeros(APPSHOT_PAGE, 0);
  for (size_t start = 0; start < bytes_.size();) {
    // Runs of pages that hold something, one write each.
    size_t end = start;
    auto empty = [&](size_t at) { return std::memcmp(bytes_.data() + at, zeros.data(), std::min<size_t>(APPSHOT_PAGE, bytes_.size() - at)) == 0; };
    while (end < bytes_.size() && !empty(end)) end += APPSHOT_PAGE;
    end = std::min(end, bytes_.size());
    if (end > start) sys("write the restorer's region", [&] { return ::pwrite(fd.get(), bytes_.data() + start, end - start, static_cast<off_t>(start)); });
    start = std::max(end, start + APPSHOT_PAGE);
  }
  return fd.release();
}

Op& Tape::append(OpKind kind, const char* step, std::initializer_list<Argument> arguments) {
  Op op{};
  op.kind = kind;
  op.out = -1;
  op.step = region_.step(step);
  if (FailHow how; tapeFailsAt(step, how)) {
    constexpr uint32_t kNoSuchCall = 0xffff;
    timespec pause{0, kPauseNs};
    bool pauses = how == FailHow::Pause;
    Op extra{OP_SYSCALL, pauses ? static_cast<uint32_t>(SYS_nanosleep) : kNoSuchCall, {}, 0, EXPECT_OK, 0, -1, op.step};
    if (pauses) extra.arg[0] = region_.add(&pause, sizeof pause);
    ops_.push_back(extra);
  }
  unsigned index = 0;
  for (const Argument& argument : arguments) {
    op.arg[index] = argument.value;
    if (argument.isSlot) op.modes |= static_cast<uint32_t>(ARG_SLOT) << (2 * index);
    index++;
  }
  ops_.push_back(op);
  return ops_.back();
}

Slot Tape::call(const char* step, long number, std::initializer_list<Argument> arguments, bool keep) {
  Op& op = append(OP_SYSCALL, step, arguments);
  op.number = static_cast<uint32_t>(number);
  op.expect = EXPECT_OK;
  if (!keep) return Slot{};
  Slot slot = region_.newSlot();
  op.out = slot.number;
  return slot;
}

void Tape::attempt(const char* step, long number, std::initializer_list<Argument> arguments) {
  append(OP_SYSCALL, step, arguments).number = static_cast<uint32_t>(number);
}

void Tape::callExact(const char* step, long number, std::initializer_list<Argument> arguments, uint64_t exact) {
  Op& op = append(OP_SYSCALL, step, arguments);
  op.number = static_cast<uint32_t>(number);
  op.expect = EXPECT_EXACT;
  op.exact = static_cast<int64_t>(exact);
}

void Tape::until(const char* step, long number, uint64_t exact) {
  Op& op = append(OP_UNTIL, step, {});
  op.number = static_cast<uint32_t>(number);
  op.exact = static_cast<int64_t>(exact);
}

void Tape::op(OpKind kind, const char* step, std::initializer_list<Argument> arguments) { append(kind, step, arguments); }

Slot Tape::load(uint64_t address) {
  Slot slot = region_.newSlot();
  append(OP_LOAD, "load", {address}).out = slot.number;
  return slot;
}

uint64_t Tape::finish() {
  append(OP_END, "end", {});
  return region_.addTable(ops_);
}

}  // namespace appshot
