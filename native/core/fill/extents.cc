#include "core/fill/extents.h"

#include <algorithm>

namespace appshot {

void Extents::add(const Extent& extent) {
  remove(extent.start, extent.end);
  extents_[extent.start] = extent;
}

std::vector<Extent> Extents::within(uint64_t start, uint64_t end) const {
  std::vector<Extent> pieces;
  auto at = extents_.upper_bound(start);
  if (at != extents_.begin()) --at;
  for (; at != extents_.end() && at->second.start < end; ++at) {
    Extent piece = at->second;
    if (piece.end <= start) continue;
    uint64_t cut = std::max(piece.start, start) - piece.start;
    piece.start += cut;
    piece.position += cut;
    piece.end = std::min(piece.end, end);
    pieces.push_back(piece);
  }
  return pieces;
}

bool Extents::next(uint64_t from, uint64_t bytes, Extent& piece) const {
  auto at = extents_.upper_bound(from);
  if (at != extents_.begin() && std::prev(at)->second.end > from) --at;
  if (at == extents_.end()) return false;
  piece = at->second;
  uint64_t cut = std::max(piece.start, from) - piece.start;
  piece.start += cut;
  piece.position += cut;
  piece.end = std::min(piece.end, piece.start + bytes);
  return true;
}

void Extents::remove(uint64_t start, uint64_t end) {
  auto at = extents_.upper_bound(start);
  if (at != extents_.begin()) --at;
  while (at != extents_.end() && at->second.start < end) {
    Extent extent = at->second;
    if (extent.end <= start) {
      ++at;
      continue;
    }
    at = extents_.erase(at);
    if (extent.start < start) extents_[extent.start] = {extent.start, start, extent.position};
    if (extent.end > end) {
      at = extents_.emplace(end, Extent{end, extent.end, extent.position + (end - extent.start)}).first;
      break;
    }
  }
}

void Extents::move(uint64_t from, uint64_t to, uint64_t bytes) {
  std::vector<Extent> moved = within(from, from + bytes);
  remove(from, from + bytes);
  for (Extent extent : moved) add({extent.start - from + to, extent.end - from + to, extent.position});
}

uint64_t Extents::bytes() const {
  uint64_t sum = 0;
  for (const auto& [start, extent] : extents_) sum += extent.end - extent.start;
  return sum;
}

}  // namespace appshot
