#include "text/charsmap.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/utf8.h"

namespace minnow {
namespace {

// Keys are single characters with marks; a longer way through the trie is a loop in a spoiled one.
constexpr std::size_t kMaxKeyBytes = 64;

// A unit of Darts-clone: a label or a value, and where its children are.
bool has_leaf(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t value_of(uint32_t unit) { return unit & 0x7FFFFFFF; }
uint32_t label_of(uint32_t unit) { return unit & 0x800000FF; }
uint32_t children_of(uint32_t unit) { return unit >> 10 << ((unit & 1u << 9) >> 6); }

}  // namespace

Charsmap::Charsmap(std::string_view bytes, const std::string& source) {
  uint32_t trie_bytes = 0;
  if (bytes.size() >= sizeof trie_bytes) std::memcpy(&trie_bytes, bytes.data(), sizeof trie_bytes);
  if (bytes.size() < sizeof trie_bytes || trie_bytes > bytes.size() - sizeof trie_bytes || trie_bytes % 4 != 0 ||
      trie_bytes == 0) {
    fail(ErrorCode::kInvalidInput, "{}: normalization table of {} bytes does not hold its trie of {} bytes", source,
         bytes.size(), trie_bytes);
  }
  units_.resize(trie_bytes / sizeof(uint32_t));
  std::memcpy(units_.data(), bytes.data() + sizeof trie_bytes, trie_bytes);
  replacements_ = bytes.substr(sizeof trie_bytes + trie_bytes);
}

Charsmap::Match Charsmap::longest(std::string_view text) const {
  Match match;
  uint32_t at = children_of(units_[0]);
  const std::size_t n = std::min(text.size(), kMaxKeyBytes);
  for (std::size_t i = 0; i < n; ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    at ^= byte;
    if (at >= units_.size() || label_of(units_[at]) != byte) break;
    const uint32_t unit = units_[at];
    at ^= children_of(unit);
    if (at >= units_.size()) break;
    if (has_leaf(unit)) match = {i + 1, value_of(units_[at])};
  }
  return match;
}

std::string_view Charsmap::replacement(uint32_t offset) const {
  if (offset >= replacements_.size()) return {};
  const std::string_view rest = std::string_view(replacements_).substr(offset);
  return rest.substr(0, rest.find('\0'));
}

bool Charsmap::apply(std::string_view text, std::size_t max_bytes, std::string& out) const {
  out.clear();
  while (!text.empty()) {
    if (out.size() > max_bytes) return false;
    if (const Match match = longest(text); match.length > 0) {
      out += replacement(match.replacement);
      text.remove_prefix(match.length);
      continue;
    }
    const Utf8Char c = decode_utf8(text);
    if (c.valid) {
      out += text.substr(0, c.length);
    } else {
      append_utf8(out, kReplacementCharacter);
    }
    text.remove_prefix(c.length);
  }
  return out.size() <= max_bytes;
}

}  // namespace minnow
