#include "text/tokenizer_special.h"

#include "base/utf8.h"
#include "text/unicode_class.h"

namespace minnow {
namespace {

bool ends_with_word(std::string_view text) {
  std::size_t begin = text.size();
  while (begin > 0 && text.size() - begin < 4) {
    const Utf8Char c = decode_utf8(text.substr(--begin));
    if (c.valid && begin + c.length == text.size()) return is_word_character(c.code_point);
  }
  return false;
}

bool begins_with_word(std::string_view text) {
  if (text.empty()) return false;
  const Utf8Char c = decode_utf8(text);
  return c.valid && is_word_character(c.code_point);
}

}  // namespace

SpecialTokenMatcher::SpecialTokenMatcher() : nodes_(1) {}

uint32_t SpecialTokenMatcher::child(uint32_t node, uint8_t byte) const {
  if (node == 0) return roots_[byte];
  uint32_t at = nodes_[node].first_child;
  while (at != 0 && nodes_[at].byte != byte) at = nodes_[at].sibling;
  return at;
}

void SpecialTokenMatcher::add(std::string_view text, TokenId id, bool single_word) {
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
  if (nodes_[node].id != kNoToken) return;
  nodes_[node].id = id;
  nodes_[node].single_word = single_word;
}

SpecialTokenMatcher::Match SpecialTokenMatcher::next(std::string_view text, std::size_t from) const {
  if (empty()) return {};
  for (std::size_t begin = from; begin < text.size(); ++begin) {
    Match match;
    bool single_word = false;
    uint32_t node = roots_[static_cast<uint8_t>(text[begin])];
    for (std::size_t end = begin + 1; node != 0; ++end) {
      if (nodes_[node].id != kNoToken) {
        match = {begin, end - begin, nodes_[node].id};
        single_word = nodes_[node].single_word;
      }
      node = end < text.size() ? child(node, static_cast<uint8_t>(text[end])) : 0;
    }
    if (match.id == kNoToken) continue;
    const bool part_of_word = single_word && (ends_with_word(text.substr(0, begin)) ||
                                              begins_with_word(text.substr(begin + match.length)));
    if (!part_of_word) return match;
    begin += match.length - 1;
  }
  return {};
}

}  // namespace minnow
