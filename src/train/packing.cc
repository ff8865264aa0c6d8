#include "train/packing.h"

namespace minnow {

std::vector<std::vector<uint32_t>> pack(std::span<const int64_t> lengths, int64_t capacity, PackingOrder packing) {
  std::vector<std::vector<uint32_t>> rows;
  std::vector<int64_t> room;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    std::size_t row = packing == PackingOrder::kNone ? rows.size() : packing == PackingOrder::kInOrder && !rows.empty() ? rows.size() - 1 : 0;
    while (row < rows.size() && room[row] < lengths[i]) ++row;
    if (row == rows.size()) {
      rows.emplace_back();
      room.push_back(capacity);
    }
    rows[row].push_back(static_cast<uint32_t>(i));
    room[row] -= lengths[i];
  }
  return rows;
}

}  // namespace minnow
