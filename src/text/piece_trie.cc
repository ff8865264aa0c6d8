#include "text/piece_trie.h"

#include <algorithm>

#include "base/error.h"
#include "base/limits.h"

namespace minnow {

PieceTrie::PieceTrie(const std::vector<std::string_view>& pieces) : nodes_(1) {
  std::vector<TokenId> order;
  for (std::size_t id = 0; id < pieces.size(); ++id) {
    if (pieces[id].size() > limits::kMaxPieceBytes) {
      fail(ErrorCode::kLimit, "token {} of {} bytes is too long", id, pieces[id].size());
    }
    if (!pieces[id].empty()) order.push_back(static_cast<TokenId>(id));
  }
  const auto text = [&](std::size_t i) { return pieces[static_cast<std::size_t>(order[i])]; };
  std::ranges::stable_sort(order, {}, [&](TokenId id) { return pieces[static_cast<std::size_t>(id)]; });

  // Breadth first, so that the children of a node are made together. A node stands for pieces [begin, end) of the
  // order, which agree in their first `depth` bytes.
  struct Range {
    std::size_t begin, end, depth;
    uint32_t node;
  };
  std::vector<Range> level = {{0, order.size(), 0, 0}}, next;
  while (!level.empty()) {
    next.clear();
    for (const Range& range : level) {
      std::size_t i = range.begin;
      while (i < range.end && text(i).size() == range.depth) {
        if (nodes_[range.node].id == kNoToken) nodes_[range.node].id = order[i];
        ++i;
      }
      nodes_[range.node].children = static_cast<uint32_t>(nodes_.size());
      while (i < range.end) {
        const auto byte = static_cast<uint8_t>(text(i)[range.depth]);
        const std::size_t begin = i;
        while (i < range.end && static_cast<uint8_t>(text(i)[range.depth]) == byte) ++i;
        const auto node = static_cast<uint32_t>(nodes_.size());
        ++nodes_[range.node].n_children;
        nodes_.push_back({.byte = byte});
        if (range.depth == 0) roots_[byte] = node;
        next.push_back({begin, i, range.depth + 1, node});
      }
    }
    std::swap(level, next);
  }
}

}  // namespace minnow
