#include "text/tokenizer_special.h"

namespace minnow {

SpecialTokenMatcher::SpecialTokenMatcher() : nodes_(1) {}

uint32_t SpecialTokenMatcher::child(uint32_t node, uint8_t byte) const {
  if (node == 0) return roots_[byte];
  uint32_t at = nodes_[node].first_child;
  while (at != 0 && nodes_[at].byte != byte) at = nodes_[at].sibling;
  return at;
}

void SpecialTokenMatcher::add(std::string_view text, TokenId id) {
  if (text.empty()) return;
  uint32_t node = 0;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    uint32_t below = child(node, byte);
    if (below == 0) {
      below = static_cast<uint32_t>(nodes_.size());
      nodes_.push_back({.sibling = node == 0 ? 0 : nodes_[node].first_child, .byte = byte});
      (node == 0 ? roots_[byte] : nodes_[node].first_child) = below;
    }
    node = below;
  }
  if (nodes_[node].id == kNoToken) nodes_[node].id = id;
}

SpecialTokenMatcher::Match SpecialTokenMatcher::next(std::string_view text) const {
  if (nodes_.size() == 1) return {};
  for (std::size_t begin = 0; begin < text.size(); ++begin) {
    Match match;
    uint32_t node = roots_[static_cast<uint8_t>(text[begin])];
    for (std::size_t end = begin + 1; node != 0; ++end) {
      if (nodes_[node].id != kNoToken) match = {begin, end - begin, nodes_[node].id};
      node = end < text.size() ? child(node, static_cast<uint8_t>(text[end])) : 0;
    }
    if (match.id != kNoToken) return match;
  }
  return {};
}

}  // namespace minnow
