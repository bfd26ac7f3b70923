// Builds the region that a restored process works from: see restorer/tape.h.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "restorer/tape.h"

namespace appshot {

// An argument of an operation: a number or address, or what an earlier operation left in a slot.
struct Argument {
  uint64_t value = 0;
  bool isSlot = false;
  template <typename Number>
  Argument(Number number) : value(static_cast<uint64_t>(number)) {}  // NOLINT: meant to convert
};

struct Slot {
  int number = -1;
};
template <>
inline Argument::Argument(Slot slot) : value(static_cast<uint64_t>(slot.number)), isSlot(true) {}

// Hands out addresses in the region and keeps what stands there.
class Region {
 public:
  // `threads`: tasks in all processes; each gets a stub page and a stack.
  Region(uint64_t base, size_t threads);

  uint64_t base() const { return base_; }
  uint64_t size() const { return (bytes_.size() + APPSHOT_PAGE - 1) / APPSHOT_PAGE * APPSHOT_PAGE; }
  uint64_t headerAddress() const { return header_; }
  RegionHeader& header() { return *reinterpret_cast<RegionHeader*>(bytes_.data() + (header_ - base_)); }

  uint64_t add(const void* bytes, size_t count, size_t alignment = 8);
  uint64_t add(const std::string& text) { return add(text.c_str(), text.size() + 1, 1); }
  uint64_t reserve(size_t count, size_t alignment = 16);
  template <typename Entry>
  uint64_t addTable(const std::vector<Entry>& table) { return add(table.data(), table.size() * sizeof(Entry), 16); }

  uint64_t stub(size_t thread) const { return base_ + thread * APPSHOT_PAGE; }
  uint64_t threadStackTop(size_t thread) const { return threadStacks_ + (thread + 1) * APPSHOT_THREAD_STACK; }
  uint64_t parking() const { return parking_; }
  static constexpr size_t kParkingBytes = 64 * APPSHOT_PAGE;
  // What the last task unmaps: all but the stubs.
  uint64_t unmapStart() const { return header_; }

  Slot newSlot();
  // When no more slots are asked for: sets room aside for as many as there are.
  void placeSlots();
  // Index of a step's name, told when an operation fails.
  uint32_t step(const std::string& name);
  const std::vector<std::string>& steps() const { return steps_; }

  // The finished region as a memfd, sparse where there is nothing.
  int toMemfd(const std::string& name) const;

 private:
  uint64_t base_, header_, parking_, threadStacks_;
  std::vector<uint8_t> bytes_;
  std::vector<std::string> steps_;
  int slots_ = APPSHOT_MAX_FDS + 1;
};

// Operations of one task, in order.
class Tape {
 public:
  explicit Tape(Region& region) : region_(region) {}

  // Must succeed; the result goes to the returned slot if `keep`.
  Slot call(const char* step, long number, std::initializer_list<Argument> arguments, bool keep = false);
  // May fail.
  void attempt(const char* step, long number, std::initializer_list<Argument> arguments);
  // Again and again, until it gives exactly this.
  void until(const char* step, long number, uint64_t exact);
  // Must give exactly this.
  void callExact(const char* step, long number, std::initializer_list<Argument> arguments, uint64_t exact);
  void op(OpKind kind, const char* step, std::initializer_list<Argument> arguments);
  Slot load(uint64_t address);
  void mark(MarkKind kind) { op(OP_MARK, "mark", {kind}); }

  // Puts the tape into the region; nothing can be added after.
  uint64_t finish();
  size_t size() const { return ops_.size(); }

 private:
  Op& append(OpKind kind, const char* step, std::initializer_list<Argument> arguments);

  Region& region_;
  std::vector<Op> ops_;
};

}  // namespace appshot
